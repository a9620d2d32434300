// Pictures on canvases: Uint8Array of height * width * channels values, grey (1) or RGB (3).

export function draw(canvas, picture, {height, width, channels}) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) pixels.data[4 * i + c] = picture[channels * i + (channels === 1 ? 0 : c)];
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext('2d').putImageData(pixels, 0, 0);
}

/** The square of a bitmap, resized with antialiasing, as the model takes it. */
export function cropOf(bitmap, {left, top, size}, {height, width, channels}) {
  let from = bitmap;
  let [x, y, side] = [left, top, size];
  // The canvas' own resizing looks at few pixels when it shrinks a lot: halve until it need not.
  while (side >= 4 * Math.max(width, height)) {
    const half = canvasOf(Math.round(side / 2), Math.round(side / 2));
    contextOf(half).drawImage(from, x, y, side, side, 0, 0, half.width, half.height);
    [from, x, y, side] = [half, 0, 0, half.width];
  }
  const small = canvasOf(width, height);
  const context = contextOf(small);
  context.drawImage(from, x, y, side, side, 0, 0, width, height);
  return valuesOf(context.getImageData(0, 0, width, height).data, channels);
}

function valuesOf(rgba, channels) {
  const picture = new Uint8Array((rgba.length / 4) * channels);
  for (let i = 0; i < rgba.length / 4; i++) {
    const [red, green, blue] = rgba.subarray(4 * i, 4 * i + 3);
    if (channels === 1) {
      picture[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue); // ITU-R 601, as in Pillow
    } else {
      picture.set([red, green, blue], 3 * i);
    }
  }
  return picture;
}

function canvasOf(width, height) {
  return Object.assign(document.createElement('canvas'), {width, height});
}

function contextOf(canvas) {
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.fillStyle = 'white'; // behind transparent pictures
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  return context;
}

/** Makes a link download what a canvas shows, enlarged by a whole factor so that it can be looked at. */
export function offerDownload(link, canvas, name, factor = 4) {
  const large = canvasOf(canvas.width * factor, canvas.height * factor);
  const context = contextOf(large);
  context.drawImage(canvas, 0, 0, large.width, large.height);
  link.download = name;
  link.href = large.toDataURL('image/png');
}
