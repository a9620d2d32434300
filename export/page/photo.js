// A photo under a square window: drag, arrow keys, wheel or the zoom slider move and scale it.

const LARGEST_FILE = 50e6; // bytes; more would only make a phone run out of memory
const MOST_PIXELS = 40e6; // of four bytes each, once they are decoded
const SMALLEST_SIDE = 16; // pixels
const MOST_ZOOM = 8;

/** The bitmap of a file; throws an Error with a sentence for what is no usable picture. */
export async function readPhoto(file) {
  if (file.size > LARGEST_FILE) {
    throw new Error(`"${file.name}" has ${Math.round(file.size / 1e6)} MB; pictures of at most ${LARGEST_FILE / 1e6} MB can be read.`);
  }
  let bitmap;
  try {
    const {width, height} = await promisedSize(file);
    if (width * height > MOST_PIXELS) {
      throw new TooLarge(`"${file.name}" has ${width} x ${height} pixels; pictures of at most ${MOST_PIXELS / 1e6} million pixels can be read.`);
    }
    bitmap = await createImageBitmap(file, {imageOrientation: 'from-image'});
  } catch (error) {
    if (error instanceof TooLarge) throw error;
    throw new Error(`"${file.name}" is not a picture that this browser can read. Take a PNG, JPEG or WebP file.`);
  }
  if (Math.min(bitmap.width, bitmap.height) < SMALLEST_SIDE) {
    throw new Error(`"${file.name}" has ${bitmap.width} x ${bitmap.height} pixels; at least ${SMALLEST_SIDE} x ${SMALLEST_SIDE} are needed.`);
  }
  return bitmap;
}

class TooLarge extends Error {}

/** The size that the header of a file promises: an image that is not shown is not decoded. */
async function promisedSize(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => Object.assign(image, {onload: resolve, onerror: reject}));
    return {width: image.naturalWidth, height: image.naturalHeight};
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

export class CropWindow {
  /** `changed()` is called whenever another part of the photo lies under the window. */
  constructor(canvas, zoom, changed) {
    Object.assign(this, {canvas, zoom, changed, bitmap: null, x: 0.5, y: 0.5});
    zoom.addEventListener('input', () => this.update());
    let from = null;
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      from = event;
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      this.move(from.clientX - event.clientX, from.clientY - event.clientY);
      from = event;
    });
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? 0.05 : -0.05);
    });
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  show(bitmap) {
    Object.assign(this, {bitmap, x: bitmap.width / 2, y: bitmap.height / 2});
    this.zoom.value = 0;
    this.update();
  }

  /** The square of the photo under the window, in pixels of the photo. */
  get square() {
    const shortest = Math.min(this.bitmap.width, this.bitmap.height);
    const size = Math.max(1, shortest / MOST_ZOOM ** Number(this.zoom.value));
    return {left: this.x - size / 2, top: this.y - size / 2, size};
  }

  move(right, down) {
    if (!this.bitmap) return;
    const scale = this.square.size / this.canvas.clientWidth;
    this.x += right * scale;
    this.y += down * scale;
    this.update();
  }

  zoomBy(amount) {
    this.zoom.value = Number(this.zoom.value) + amount;
    this.update();
  }

  key(event) {
    const step = 8;
    const actions = {
      ArrowLeft: () => this.move(-step, 0),
      ArrowRight: () => this.move(step, 0),
      ArrowUp: () => this.move(0, -step),
      ArrowDown: () => this.move(0, step),
      '+': () => this.zoomBy(0.05),
      '-': () => this.zoomBy(-0.05),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  update() {
    if (!this.bitmap) return;
    const half = this.square.size / 2;
    this.x = Math.min(Math.max(this.x, half), this.bitmap.width - half);
    this.y = Math.min(Math.max(this.y, half), this.bitmap.height - half);
    const {left, top, size} = this.square;
    const context = this.canvas.getContext('2d');
    context.fillStyle = 'white'; // behind transparent pictures
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.bitmap, left, top, size, size, 0, 0, this.canvas.width, this.canvas.height);
    this.changed();
  }
}
