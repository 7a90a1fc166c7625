"""Pixels from files: exact for every kind of PNG that holds indices, one error message for everything else."""

import hashlib
import os
import socket
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageOps

from vssbench.datasets.image_header import MAX_PIXELS
from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.read_pixels import (
    orientation,
    read_colour_labels,
    read_image,
    read_indices,
    read_labels,
    read_prediction,
)
from vssbench.errors import UserError
from vssbench.types import IGNORE

LABELS = np.arange(48, dtype=np.uint8).reshape(6, 8)


def save(path, values, mode, **options):
    image = Image.frombytes(mode, values.shape[1::-1], values.tobytes())
    if mode == "P":
        image.putpalette(bytes((index * 37) % 256 for index in range(768)))
    image.save(path, **options)
    return path


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9)), mode=st.sampled_from("LP"))
def test_grey_and_palette_pngs_return_their_indices(tmp_path, values, mode):
    assert (read_indices(save(tmp_path / "a.png", values, mode)) == values).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_palettes_of_1_2_or_4_bits_return_their_indices(tmp_path, bits):
    values = LABELS % (1 << bits)
    assert (read_indices(save(tmp_path / "a.png", values, "P", bits=bits)) == values).all()


@given(value=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_vspw_values_map_to_train_ids_and_unknown_values_are_named(tmp_path, value):
    path = save(tmp_path / "a.png", np.full((2, 3), value, np.uint8), "L")
    if 124 < value < 255 and value != 252:
        with pytest.raises(UserError, match=f"label value {value} .*\n(.*\n)*.*vssbench doctor") as caught:
            read_labels(path, load_space("vspw"))
        assert caught.value.where == path
        return
    labels, stray = read_labels(path, load_space("vspw"))
    assert (labels == (value - 1 if 1 <= value <= 124 else IGNORE)).all()
    assert stray == ({252} if value == 252 else set())


@pytest.mark.parametrize("name", ["vspw", "cityscapes", "camvid", "camvid12", "synthetic"])
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_known_mask_values_map_to_their_train_ids(tmp_path, name, data):
    space = load_space(name)
    known = np.flatnonzero(space.known)
    known = known[: data.draw(st.integers(1, len(known)))]  # most masks hold classes but no void
    values = data.draw(arrays(np.uint8, (3, 4), elements=st.sampled_from(known.tolist())))
    labels, stray = read_labels(save(tmp_path / "a.png", values, "L"), space)
    assert labels.tolist() == [[space.from_file[value] for value in row] for row in values]
    assert not stray


def test_colour_mask_is_refused_where_indices_are_expected(tmp_path):
    for mode, depth in (("RGB", 3), ("RGBA", 4), ("LA", 2)):
        path = save(tmp_path / "a.png", np.zeros((4, 5, depth), np.uint8), mode)
        with pytest.raises(UserError, match="a colour mask where indices are expected"):
            read_indices(path)


def test_grey_masks_of_1_or_16_bits_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "deep.png"), LABELS.astype(np.uint16))
    Image.fromarray(LABELS > 7).save(tmp_path / "flat.png")
    for name, bits in (("deep", 16), ("flat", 1)):
        with pytest.raises(UserError, match=f"{bits} bits per pixel"):
            read_indices(tmp_path / f"{name}.png")


def test_truncated_or_missing_files_are_errors(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "image.png")
    Image.fromarray(noise).save(tmp_path / "image.jpg")
    save(tmp_path / "label.png", noise[..., 0], "L")
    for name, read in (("image.png", read_image), ("image.jpg", read_image), ("label.png", read_indices)):
        whole = (tmp_path / name).read_bytes()
        for length in (len(whole) // 2, 60, 9, 0):
            (tmp_path / name).write_bytes(whole[:length])
            with pytest.raises(UserError) as caught:
                read(tmp_path / name)
            assert caught.value.where == tmp_path / name
        (tmp_path / name).unlink()
        with pytest.raises(UserError, match="no such file"):
            read(tmp_path / name)


def test_colour_and_grey_images_are_read_as_rgb(tmp_path):
    image = np.zeros((4, 6, 3), np.uint8)
    image[..., 0], image[..., 2] = 200, 10
    Image.fromarray(image).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == image).all()
    Image.fromarray(image[..., 0]).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == 200).all()


@pytest.mark.parametrize("name", ["camvid", "camvid12"])
def test_every_colour_maps_to_its_class(tmp_path, name):
    space = load_space(name)
    mask = np.array([list(space.from_colour)], np.uint8)
    Image.fromarray(mask).save(tmp_path / "a.png")
    labels, _ = read_colour_labels(tmp_path / "a.png", space)
    assert labels.tolist() == [list(space.from_colour.values())]


@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_colour_without_a_meaning_is_named_in_the_error(tmp_path, colour):
    space = load_space("camvid")
    Image.fromarray(np.full((3, 3, 3), colour, np.uint8)).save(tmp_path / "a.png")
    if colour in space.from_colour:
        assert (read_colour_labels(tmp_path / "a.png", space)[0] == space.from_colour[colour]).all()
    else:
        with pytest.raises(UserError, match=r"RGB \({}, {}, {}\)".format(*colour)):
            read_colour_labels(tmp_path / "a.png", space)


def test_label_file_with_a_damaged_stream_is_refused(tmp_path):
    path = save(tmp_path / "a.png", LABELS, "L")
    data = bytearray(path.read_bytes())
    start = data.index(b"IDAT") + 4
    packed = zlib.compress(b"\x00short")
    data[start : start + len(packed)] = packed
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match="damaged or truncated label file"):
        read_indices(path)


NOISE = np.kron(np.random.default_rng(1).integers(0, 256, (6, 9, 3), np.uint8), np.ones((8, 8, 1), np.uint8))


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_images_are_turned_by_their_exif_orientation(tmp_path, ending, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / f"a.{ending}"
    Image.fromarray(NOISE).save(path, exif=exif, quality=95)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    assert read_image(path).shape == shown.shape == ((72, 48, 3) if tag >= 5 else (48, 72, 3))
    assert np.abs(read_image(path).astype(int) - shown).max() <= (2 if ending == "webp" else 0)
    assert orientation(path) == tag


@pytest.mark.parametrize("tag", range(1, 9))
def test_masks_are_turned_by_their_exif_orientation(tmp_path, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    space = load_space("camvid")
    colours = space.colours[LABELS % 11]
    Image.fromarray(LABELS).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(colours).save(tmp_path / "b.png", exif=exif)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    assert (read_indices(tmp_path / "a.png") == shown).all()
    assert (read_prediction(tmp_path / "a.png") == shown).all()
    assert (read_colour_labels(tmp_path / "b.png", space)[0] == shown % 11).all()


def test_invalid_exif_orientation_changes_nothing(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 9
    Image.fromarray(NOISE).save(tmp_path / "a.png", exif=exif)
    Image.fromarray(NOISE).save(tmp_path / "b.jpg", exif=b"Exif\0\0broken")
    assert (read_image(tmp_path / "a.png") == NOISE).all()
    assert read_image(tmp_path / "b.jpg").shape == NOISE.shape
    assert orientation(tmp_path / "b.jpg") == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_of_a_png_is_an_error(tmp_path, data):
    """For frames, masks and predictions, by the file's own checksums, which decoders ignore."""
    space = load_space("camvid")
    kinds = {
        "image": (NOISE, read_image),
        "grey": (NOISE[..., 0] % 11, read_indices),
        "palette": (NOISE[..., 0] % 11, read_prediction),
        "colours": (space.colours[NOISE[..., 0] % 11], lambda path: read_colour_labels(path, space)[0]),
    }
    kind = data.draw(st.sampled_from(sorted(kinds)))
    pixels, read = kinds[kind]
    path = tmp_path / "a.png"
    picture = Image.fromarray(pixels)
    if kind == "palette":
        picture.putpalette(list(range(256)) * 3)
    picture.save(path)
    whole = read(path)
    flipped = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(flipped) - 1))
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(flipped))
    with pytest.raises(UserError) as caught:
        read(path)
    assert caught.value.where == path
    assert whole.shape[:2] == pixels.shape[:2]


def test_damage_noticed_by_the_jpeg_decoder_is_an_error(tmp_path):
    """One flipped bit changes half the pixels, and OpenCV still accepts the image."""
    path = tmp_path / "a.jpg"
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 256, (96, 128, 3), np.uint8)).save(path, quality=90)
    whole, found = path.read_bytes(), 0
    for place in rng.integers(700, len(whole) - 2, 60).tolist():
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(flipped))
        try:
            read_image(path)
        except UserError as error:
            found += "Corrupt JPEG data" in error.what
    assert found >= 4
    for cut in (whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(cut)
        with pytest.raises(UserError, match="Premature end of JPEG file"):
            read_image(path)
    for harmless in (whole + b"\0" * 100, whole[:-2] + b"\0\0" + whole[-2:]):  # after the end mark, padding before it
        path.write_bytes(harmless)
        assert read_image(path).shape == (96, 128, 3)


def test_jpeg_pixels_equal_those_of_opencv(tmp_path):
    path = tmp_path / "a.jpg"
    flags = cv2.IMREAD_COLOR_RGB
    for sampling in (0x411111, 0x221111, 0x211111, 0x121111, 0x111111):
        for options in ([], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]):
            cv2.imwrite(str(path), NOISE, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, *options])
            assert (read_image(path) == cv2.imread(str(path), flags)).all()
    for mode in ("L", "CMYK"):
        Image.fromarray(NOISE).convert(mode).save(path)
        assert (read_image(path) == cv2.imread(str(path), flags)).all()


def stated(path, ending, height, width):
    """Write a file that states a size but does not have those pixels."""
    if ending == "jpg":
        Image.fromarray(NOISE).save(path)
        data = bytearray(path.read_bytes())
        place = data.index(b"\xff\xc0") + 5
        data[place : place + 4] = struct.pack(">HH", height, width)
    elif ending == "png":
        body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        chunks = [body, b"IDAT" + zlib.compress(bytes(100)), b"IEND"]
        data = b"\x89PNG\r\n\x1a\n"
        for chunk in chunks:
            data += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(bytes(data))
    return path


def test_image_whose_header_states_too_many_pixels_is_refused(tmp_path, monkeypatch):
    image, mask = stated(tmp_path / "a.jpg", "jpg", 30000, 30000), stated(tmp_path / "a.png", "png", 30000, 30000)
    for path, read in ((image, read_image), (mask, read_image), (mask, read_indices), (mask, read_prediction)):
        with pytest.raises(
            UserError, match=r"30000x30000 pixels, more than 100000000\n(.*\n)*.*VSSBENCH_MAX_PIXELS=900"
        ):
            read(path)
    Image.fromarray(NOISE).save(tmp_path / "b.png")
    monkeypatch.setenv(MAX_PIXELS, "3455")
    with pytest.raises(UserError, match="states 48x72 pixels"):
        read_image(tmp_path / "b.png")
    monkeypatch.setenv(MAX_PIXELS, "3456")
    assert (read_image(tmp_path / "b.png") == NOISE).all()
    monkeypatch.setenv(MAX_PIXELS, "many")
    with pytest.raises(UserError, match="'many' is not a number of pixels"):
        read_image(tmp_path / "b.png")


def test_pipes_sockets_devices_and_folders_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.png"))
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").mkdir()
    for name, kind in (("pipe", "a pipe"), ("socket", "a socket"), ("device", "a device"), ("folder", "a folder")):
        for read in (read_image, read_indices):
            with pytest.raises(UserError, match=f"is {kind}, not a file"):
                read(tmp_path / f"{name}.png")


def test_readers_digest_the_bytes_of_the_file(tmp_path):
    for mode, read in (("RGB", read_image), ("L", read_indices), ("L", read_prediction)):
        path = tmp_path / "a.png"
        Image.fromarray(NOISE).convert(mode).save(path)
        digest = hashlib.sha256()
        read(path, digest)
        assert digest.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_prediction_errors_advise_train_ids_instead_of_doctor(tmp_path):
    save(tmp_path / "colours.png", np.zeros((4, 5, 3), np.uint8), "RGB")
    cv2.imwrite(str(tmp_path / "deep.png"), LABELS.astype(np.uint16))
    for name in ("colours", "deep"):
        with pytest.raises(UserError) as caught:
            read_prediction(tmp_path / f"{name}.png")
        assert "train id" in caught.value.fix
        assert "doctor" not in str(caught.value)
