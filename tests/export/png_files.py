"""PNG files of every kind, and what they hold by Pillow."""

import io
import zlib

import numpy as np
from PIL import Image

SIDE = 16


def picture(height=SIDE, width=SIDE, mode="L", **options):
    noise = np.random.default_rng(0).integers(0, 256, [height, width, 3], np.uint8)
    return saved(Image.fromarray(noise).convert(mode), **options)


def saved(image, **options):
    file = io.BytesIO()
    image.save(file, format="PNG", **options)
    return file.getvalue()


def jpeg():
    file = io.BytesIO()
    Image.new("L", (SIDE, SIDE)).save(file, format="JPEG")
    return file.getvalue()


def chunk(content):
    """A part of a file, of its name and what it holds, with length and checksum."""
    length = (len(content) - 4).to_bytes(4, "big")
    return length + content + zlib.crc32(content).to_bytes(4, "big")


def file_of(*contents):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(one) for one in contents)


def split(file):
    """What `file_of` was given."""
    found, at = [], 8
    while at < len(file):
        length = int.from_bytes(file[at : at + 4], "big")
        found.append(file[at + 4 : at + 8 + length])
        at += 12 + length
    return found


def header(width, height, depth=8, colour=0):
    sides = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return b"IHDR" + sides + bytes([depth, colour, 0, 0, 0])


def promising(width, height):
    """A PNG of a few bytes that says it has so many grey pixels."""
    return file_of(header(width, height), b"IDAT" + zlib.compress(bytes(1000)), b"IEND")


def with_gamma(file, gamma):
    """The file with a chunk that names its gamma, behind the header."""
    first, *rest = split(file)
    return file_of(first, b"gAMA" + int(100_000 * gamma).to_bytes(4, "big"), *rest)


def grey_in_16_bits():
    numbers = np.random.default_rng(0).integers(0, 2**16, [SIDE, SIDE], np.uint16)
    return saved(Image.fromarray(numbers))


def colours_in_16_bits():
    """Pillow reads such files, in 8 bits, but does not write them."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, [SIDE, 1 + 6 * SIDE], np.uint8)
    rows[:, 0] = 0  # no filter
    pixels = zlib.compress(rows.tobytes())
    return file_of(header(SIDE, SIDE, depth=16, colour=2), b"IDAT" + pixels, b"IEND")


def palette(colours, **options):
    noise = np.random.default_rng(0).integers(0, colours, [SIDE, SIDE], np.uint8)
    image = Image.fromarray(noise)
    image.putpalette(np.random.default_rng(1).integers(0, 256, 3 * colours, np.uint8).tobytes())
    return saved(image, **options)


def with_alpha(mode):
    noise = np.random.default_rng(0).integers(0, 256, [SIDE, SIDE, 4], np.uint8)
    noise[:4, :, 3] = 0  # what is hidden must not become the face
    return saved(Image.fromarray(noise).convert(mode))


KINDS = {
    "grey": picture(mode="L"),
    "colours": picture(mode="RGB"),
    "one bit": picture(mode="1"),
    "palette of 256": picture(mode="P"),
    "palette of 16": palette(16, bits=4),
    "palette of 4": palette(4, bits=2),
    "palette of 2": palette(2, bits=1),
    "palette with a transparent colour": palette(16, bits=4, transparency=3),
    "palette with alpha": palette(16, bits=4, transparency=bytes(range(0, 256, 16))),
    "grey with a transparent one": picture(mode="L", transparency=77),
    "colours with a transparent one": picture(mode="RGB", transparency=(1, 2, 3)),
    "alpha": with_alpha("RGBA"),
    "grey and alpha": with_alpha("LA"),
    "opaque": picture(mode="RGBA"),
    "grey in 16 bits": grey_in_16_bits(),
    "colours in 16 bits": colours_in_16_bits(),
    "gamma": with_gamma(picture(mode="RGB"), 0.25),
    "gamma of a palette": with_gamma(palette(256), 0.25),
}


def changed(file, old, new):
    assert file.count(old) == 1
    return file.replace(old, new)


def in_order(kind, *numbers):
    chunks = split(KINDS[kind])
    return file_of(*(chunks[number] for number in numbers))


# Of a palette: header, palette, transparency, pixels, end. Of grey: the same without a palette.
PALETTE, GREY = "palette with alpha", "grey with a transparent one"
# Whole files of which a decoder that skips what it cannot use loses the transparency.
UNSOUND = {
    "transparency damaged": changed(KINDS[PALETTE], b"tRNS\x00", b"tRNS\x01"),
    "transparency of grey damaged": changed(KINDS[GREY], b"tRNS\x00M", b"tRNS\x00L"),
    "its name damaged": changed(KINDS[PALETTE], b"tRNS", b"tRNs"),
    "its name become another's": changed(KINDS[GREY], b"tRNS", b"gRNS"),
    "behind the pixels": in_order(PALETTE, 0, 1, 3, 2, 4),
    "of grey, behind the pixels": in_order(GREY, 0, 2, 1, 3),
    "before the palette": in_order(PALETTE, 0, 2, 1, 3, 4),
    "twice": in_order(PALETTE, 0, 1, 2, 2, 3, 4),
}


def by_pillow(file, mode):
    """The pixels that Pillow reads, what is transparent on white."""
    with Image.open(io.BytesIO(file)) as image:
        if image.mode.startswith("I"):  # 16 bits: the upper eight
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        over = image.convert("RGBA")
    white = Image.new("RGBA", over.size, "white")
    white.paste(over, mask=over.getchannel("A"))
    pixels = np.asarray(white.convert("RGB").convert(mode))
    return pixels[..., None] if mode == "L" else pixels
