// The page: what its controls do.

import {loadModel} from './model.js';
import {CropWindow, readPhoto} from './photo.js';
import {cropOf, draw, offerDownload} from './pictures.js';

const FACES = 12;
const AS_LIKELIEST = 'likeliest';

const $ = (id) => document.getElementById(id);

/**
 * Runs the newest request alone: those that came while one ran are dropped but for the last, which
 * also runs where the one before it failed.
 */
function latestOnly(work) {
  let running = false;
  let wanted = false;
  return async () => {
    wanted = true;
    if (running) return;
    running = true;
    while (wanted) {
      wanted = false;
      try {
        await work(() => wanted);
      } catch (error) {
        say(`That did not work: ${error.message}`, true);
      }
    }
    running = false;
  };
}

function say(text, isError = false) {
  $('status').textContent = text;
  $('status').classList.toggle('error', isError);
}

/** Calls `changed` once for each new value: a select has one at `change`, which some drivers tell it by alone. */
function onNewValue(control, changed) {
  control.addEventListener(control.tagName === 'SELECT' ? 'change' : 'input', changed);
}

function fillSelect(select, options) {
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

/** Shows what is there for a model of this kind, and lets strengths go as far as it does. */
function showKind(model) {
  for (const element of document.querySelectorAll('[data-kind]')) element.hidden = element.dataset.kind !== model.card.kind;
  document.title = $('title').innerText;
  if (model.card.strengths) $('strength').max = Math.min($('strength').max, model.card.strengths[1]);
}

function showCard(card) {
  const rows = {
    Labels: card.labels.join(', '),
    Pictures: `${card.image_shape[0]} x ${card.image_shape[1]} pixels, ${card.image_shape[2] === 1 ? 'grey' : 'colour'}`,
    'Trained on': card.data,
    'Licence of the data': card.data_licence,
    Likelihood: likelihood(card.metrics),
    Parameters: card.parameters.toLocaleString('en'),
  };
  const shown = Object.entries(rows).filter(([, value]) => value !== undefined && value !== null);
  $('card').replaceChildren(...shown.flatMap(([name, value]) => [
    Object.assign(document.createElement('dt'), {textContent: name}),
    Object.assign(document.createElement('dd'), {textContent: value}),
  ]));
}

function likelihood(metrics) {
  if (metrics?.bits_per_dim === undefined) return null;
  return `${metrics.bits_per_dim.toFixed(3)} bits per dimension, of ${metrics.images} images that it was not trained on`;
}

function newFaces(model) {
  let chosen = 0;
  const faces = []; // each with the choices it was drawn with, which the controls may have left since
  const buttons = Array.from({length: FACES}, (_, row) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(document.createElement('canvas'));
    button.addEventListener('click', () => choose(row));
    return button;
  });
  $('faces').replaceChildren(...buttons);

  const name = ({label, second}) => (second === null ? model.labels[label] : `${model.labels[label]} and ${model.labels[second]}`);

  function choose(row) {
    chosen = row;
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(i === row)));
    const face = faces[row];
    if (!face) return;
    draw($('chosen-face'), face.picture, model);
    $('chosen-text').textContent = `Face ${row + 1} of seed ${face.seed}, ${name(face)}`;
    $('chosen-face').setAttribute('aria-label', $('chosen-text').textContent);
    offerDownload($('download-chosen'), $('chosen-face'), `${name(face).replaceAll(' ', '_')}_seed_${face.seed}_face_${row + 1}.png`);
    $('chosen').hidden = false;
  }

  const sample = latestOnly(async (outdated) => {
    try {
      await drawAll(outdated);
    } finally {
      if (!outdated()) $('faces').setAttribute('aria-busy', 'false');
    }
  });

  async function drawAll(outdated) {
    const second = $('second-label').value === '' ? null : Number($('second-label').value);
    $('share').disabled = second === null;
    $('share-value').textContent = `${Math.round(100 * $('share').value)} %`;
    $('temperature-value').textContent = Number($('temperature').value).toFixed(2);
    if (!$('seed').checkValidity()) {
      if (document.activeElement === $('seed')) $('seed').reportValidity(); // which takes the focus
      say(`No new faces: the seed must be a whole number from ${$('seed').min} to ${$('seed').max}.`, true);
      return;
    }
    const [label, share] = [Number($('label').value), Number($('share').value)];
    const condition = model.condition(label, second, share);
    const [temperature, seed] = [Number($('temperature').value), Number($('seed').value)];
    $('faces').setAttribute('aria-busy', 'true');
    for (let row = 0; row < FACES && !outdated(); row++) {
      const picture = await model.sample(condition, temperature, seed, row);
      faces[row] = {picture, label, second, seed};
      draw(buttons[row].firstChild, picture, model);
      buttons[row].setAttribute('aria-label', `Face ${row + 1}, ${name(faces[row])}`);
      if (row === chosen) choose(row);
    }
    if (!outdated()) say('Ready.');
  }

  for (const id of ['label', 'second-label', 'share', 'temperature', 'seed']) onNewValue($(id), sample);
  $('sample-form').addEventListener('submit', (event) => {
    event.preventDefault();
    $('seed').value = crypto.getRandomValues(new Int32Array(1))[0];
    sample();
  });
  choose(0);
  sample();
  return () => faces[chosen];
}

function changeExpression(model, chosenFace) {
  const picture = {values: null, label: null};
  let targetIsOpen = true; // until the first likeliest label is known, or a target chosen

  /** Moves the target off this label: a first picture is to show a change. */
  function keepTargetOff(label) {
    if ($('target').value === String(label)) $('target').value = String((label + 1) % model.labels.length);
  }

  const transfer = latestOnly(async (outdated) => {
    if (!picture.values) return;
    const values = picture.values;
    $('strength-value').textContent = Number($('strength').value).toFixed(2);
    let source = $('source').value;
    if (!model.drawsFaces) {
      source = null;
      $('before-text').textContent = 'What the model sees, taken as neutral';
    } else if (source === AS_LIKELIEST) {
      const label = picture.label ?? await model.likeliestLabel(values);
      if (outdated()) return; // the picture may be another one by now
      picture.label = label;
      if (targetIsOpen) keepTargetOff(label);
      targetIsOpen = false;
      source = label;
      $('before-text').textContent = `What the model sees: likeliest as ${model.labels[source]}`;
    } else {
      $('before-text').textContent = `What the model sees, taken as ${model.labels[Number(source)]}`;
    }
    const target = Number($('target').value);
    const changed = await model.transfer(values, Number(source), target, Number($('strength').value));
    if (outdated()) return;
    draw($('after'), changed, model);
    $('after-text').textContent = `As ${model.labels[target]}, strength ${Number($('strength').value).toFixed(2)}`;
    $('after').setAttribute('aria-label', $('after-text').textContent);
    offerDownload($('download-after'), $('after'), `${model.labels[target]}.png`);
    if ($('status').classList.contains('error')) say('Ready.');
  });

  function take(values) {
    Object.assign(picture, {values, label: null});
    draw($('before'), values, model);
    $('photo-error').textContent = '';
    $('editor').hidden = false;
    transfer();
  }

  function showCrop(shown) {
    $('crop').parentElement.hidden = !shown;
    $('crop-hint').hidden = !shown;
  }

  const crop = new CropWindow($('crop'), $('zoom'), () => take(cropOf(crop.bitmap, crop.square, model)));

  async function open(file) {
    try {
      const bitmap = await readPhoto(file);
      showCrop(true);
      $('source').value = AS_LIKELIEST;
      crop.show(bitmap);
    } catch (error) {
      $('photo-error').textContent = error.message;
    }
  }

  $('photo').addEventListener('change', () => {
    const file = $('photo').files[0];
    $('photo').value = ''; // or the same file, chosen again, would be no change
    if (file) open(file);
  });
  $('drop').addEventListener('dragover', (event) => {
    event.preventDefault();
    $('drop').classList.add('over');
  });
  $('drop').addEventListener('dragleave', () => $('drop').classList.remove('over'));
  $('drop').addEventListener('drop', (event) => {
    event.preventDefault();
    $('drop').classList.remove('over');
    const file = event.dataTransfer.files[0];
    if (file) open(file);
    else $('photo-error').textContent = 'That is no file. Drop a picture file, or choose one.';
  });
  for (const id of ['source', 'target', 'strength']) onNewValue($(id), transfer);
  $('target').addEventListener('change', () => { targetIsOpen = false; });
  $('transfer-form').addEventListener('submit', (event) => event.preventDefault());
  $('edit-chosen').addEventListener('click', () => {
    const face = chosenFace();
    if (!face) return; // it could not be drawn
    const {picture: values, label, second} = face;
    showCrop(false); // it has the model's size already
    $('source').value = second !== null ? AS_LIKELIEST : String(label);
    keepTargetOff(label);
    take(values);
    $('target').focus();
    $('editor').scrollIntoView({block: 'nearest'});
  });
}

async function start() {
  say('Loading the model.'); // in place of what index.html says where no script can run
  let model;
  try {
    model = await loadModel();
  } catch (error) {
    say(`The model could not be loaded: ${error.message}`, true);
    return;
  }
  showKind(model);
  const labels = model.labels.map((label, i) => [i, label]);
  fillSelect($('label'), labels);
  fillSelect($('second-label'), [['', 'nothing'], ...labels]);
  fillSelect($('source'), [[AS_LIKELIEST, 'the likeliest'], ...labels]);
  fillSelect($('target'), labels);
  const happy = model.labels.indexOf('happy');
  if (happy >= 0) for (const id of ['label', 'target']) $(id).value = String(happy);
  showCard(model.card);
  $('photo').disabled = false;
  if (!model.drawsFaces) {
    changeExpression(model, null);
    say('Ready.');
    return;
  }
  for (const id of ['label', 'second-label', 'temperature', 'seed', 'another']) $(id).disabled = false;
  changeExpression(model, newFaces(model));
}

// What is dropped beside the box, or before the model is there, must not make the browser leave the page.
for (const kind of ['dragover', 'drop']) window.addEventListener(kind, (event) => event.preventDefault());
start();
