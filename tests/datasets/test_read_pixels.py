"""Pixels from files: exact for every PNG kind that holds indices, one message for everything else."""

import zlib

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image

from vssbench.datasets.label_spaces import load_space
from vssbench.datasets.read_pixels import read_colour_labels, read_image, read_indices, read_labels
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
def test_grey_and_palette_files_give_their_indices(tmp_path, values, mode):
    assert (read_indices(save(tmp_path / "a.png", values, mode)) == values).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_small_palettes_give_their_indices(tmp_path, bits):
    values = LABELS % (1 << bits)
    assert (read_indices(save(tmp_path / "a.png", values, "P", bits=bits)) == values).all()


@given(value=st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_vspw_reads_a_value_as_its_list_says_or_names_it(tmp_path, value):
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
def test_masks_of_known_values_are_mapped_one_by_one(tmp_path, name, data):
    space = load_space(name)
    known = np.flatnonzero(space.known)
    known = known[: data.draw(st.integers(1, len(known)))]  # most masks hold classes and no void
    values = data.draw(arrays(np.uint8, (3, 4), elements=st.sampled_from(known.tolist())))
    labels, stray = read_labels(save(tmp_path / "a.png", values, "L"), space)
    assert labels.tolist() == [[space.from_file[value] for value in row] for row in values]
    assert not stray


def test_colour_mask_where_indices_are_expected(tmp_path):
    for mode, depth in (("RGB", 3), ("RGBA", 4), ("LA", 2)):
        path = save(tmp_path / "a.png", np.zeros((4, 5, depth), np.uint8), mode)
        with pytest.raises(UserError, match="a colour mask where indices are expected"):
            read_indices(path)


def test_other_bit_depths_are_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "deep.png"), LABELS.astype(np.uint16))
    Image.fromarray(LABELS > 7).save(tmp_path / "flat.png")
    for name, bits in (("deep", 16), ("flat", 1)):
        with pytest.raises(UserError, match=f"{bits} bits a pixel"):
            read_indices(tmp_path / f"{name}.png")


def test_files_that_cannot_be_read(tmp_path):
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
        with pytest.raises(UserError, match="cannot be read"):
            read(tmp_path / name)


def test_images_are_rgb(tmp_path):
    image = np.zeros((4, 6, 3), np.uint8)
    image[..., 0], image[..., 2] = 200, 10
    Image.fromarray(image).save(tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == image).all()
    Image.fromarray(image[..., 0]).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == 200).all()


@pytest.mark.parametrize("name", ["camvid", "camvid12"])
def test_every_colour_gives_its_class(tmp_path, name):
    space = load_space(name)
    mask = np.array([list(space.from_colour)], np.uint8)
    Image.fromarray(mask).save(tmp_path / "a.png")
    labels, _ = read_colour_labels(tmp_path / "a.png", space)
    assert labels.tolist() == [list(space.from_colour.values())]


@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_colour_without_a_meaning_is_named(tmp_path, colour):
    space = load_space("camvid")
    Image.fromarray(np.full((3, 3, 3), colour, np.uint8)).save(tmp_path / "a.png")
    if colour in space.from_colour:
        assert (read_colour_labels(tmp_path / "a.png", space)[0] == space.from_colour[colour]).all()
    else:
        with pytest.raises(UserError, match=r"RGB \({}, {}, {}\)".format(*colour)):
            read_colour_labels(tmp_path / "a.png", space)


def test_a_damaged_stream_is_no_label(tmp_path):
    path = save(tmp_path / "a.png", LABELS, "L")
    data = bytearray(path.read_bytes())
    start = data.index(b"IDAT") + 4
    packed = zlib.compress(b"\x00short")
    data[start : start + len(packed)] = packed
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match="damaged or truncated label file"):
        read_indices(path)
