// The exported model: model.tflite and model.json beside this file, run by LiteRT.js.

import {loadAndCompile, loadLiteRt, Tensor} from './runtime/core/dist/index.js';

/** Loads the model card, the runtime and the model; throws an Error with a sentence where it cannot. */
export async function loadModel() {
  const card = await fetchJson('model.json');
  await loadLiteRt(new URL('runtime/core/wasm/', document.baseURI).href);
  const compiled = await loadAndCompile(new URL('model.tflite', document.baseURI).href, {accelerator: 'wasm'});
  return new Model(card, compiled);
}

async function fetchJson(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} could not be read: ${response.status} ${response.statusText}`);
  return response.json();
}

/** Pictures are Uint8Array of height * width * channels values; conditions hold one weight for each label. */
class Model {
  constructor(card, compiled) {
    this.card = card;
    this.labels = card.labels;
    [this.height, this.width, this.channels] = card.image_shape;
    this.signatures = compiled.signatures;
    this.last = Promise.resolve();
  }

  /** Whether the model is a flow, which draws faces; a pixel model changes neutral ones alone. */
  get drawsFaces() {
    return this.card.kind === 'flow';
  }

  /** A condition vector: all of the weight on one label, or shared with a second one. */
  condition(label, second = null, share = 0) {
    const weights = new Float32Array(this.labels.length);
    weights[label] = 1;
    if (second !== null) {
      weights[label] -= share;
      weights[second] += share;
    }
    return weights;
  }

  /** The picture number `row` of a seed: the same as row `row` of model.sample(..., seed=seed) in Python. */
  async sample(condition, temperature, seed, row) {
    const {image} = await this.run('sample_condition', {
      condition: tensorOf(condition),
      temperature: tensorOf(Float32Array.of(temperature), [1]),
      seed: tensorOf(Int32Array.of(seed, row)),
    });
    return drawn(image);
  }

  /** The picture under another label; a pixel model takes it for neutral, whatever the source. */
  async transfer(picture, source, target, strength) {
    const given = {
      image: this.tensorOfPicture(picture),
      target: tensorOf(Int32Array.of(target), [1]),
      strength: tensorOf(Float32Array.of(strength), [1]),
    };
    const {image} = this.drawsFaces
      ? await this.run('transfer', {...given, source: tensorOf(Int32Array.of(source), [1])})
      : await this.run('transform', given);
    return isBlank(picture) ? image : drawn(image);
  }

  /** The label under which the picture is likeliest. */
  async likeliestLabel(picture) {
    const values = [];
    for (let label = 0; label < this.labels.length; label++) {
      const {log_prob} = await this.run('log_prob', {
        image: this.tensorOfPicture(picture),
        label: tensorOf(Int32Array.of(label), [1]),
      });
      if (!Number.isFinite(log_prob[0])) {
        throw new Error(`the model finds no likelihood of this picture as ${this.labels[label]}. Choose its expression, or take another part of the photo.`);
      }
      values.push(log_prob[0]);
    }
    return values.indexOf(Math.max(...values));
  }

  tensorOfPicture(picture) {
    return tensorOf(picture, [1, this.height, this.width, this.channels]);
  }

  /** One call at a time: the runtime's buffers are shared. */
  run(name, inputs) {
    const call = this.last.then(() => this.runNow(name, inputs));
    this.last = call.catch(() => {});
    return call;
  }

  async runNow(name, inputs) {
    const signature = this.signatures[name];
    if (!signature) throw new Error(`model.tflite has no signature "${name}"; it has ${Object.keys(this.signatures).join(', ')}`);
    let outputs = {};
    try {
      outputs = await signature.run(inputs);
      const values = {};
      for (const [key, tensor] of Object.entries(outputs)) values[key] = (await tensor.data()).slice();
      return values;
    } finally {
      // LiteRT.js leaves the memory of tensors to its callers.
      for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
      // Its promises resolve before the browser's next task: without this no event gets in between two runs.
      await new Promise((done) => setTimeout(done));
    }
  }
}

/** A file that runs in a browser cannot raise errors: what it cannot compute comes back black. */
function drawn(picture) {
  if (isBlank(picture)) throw new Error('the model makes no picture of these choices. Try a lower temperature, a smaller strength or another face.');
  return picture;
}

function isBlank(picture) {
  return picture.every((value) => value === 0);
}

function tensorOf(values, shape = [1, values.length]) {
  return new Tensor(values, shape);
}
