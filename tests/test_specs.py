"""Canonical strings: every spec survives its own string, equal specs have equal strings, bad input is one message."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vssbench.errors import UserError
from vssbench.specs import Spec, in_file, parse, parse_list, parse_value, walk

words = st.from_regex(r"[A-Za-z][A-Za-z0-9_.\-]{0,8}", fullmatch=True)
names = words | st.from_regex(r"[A-Za-z0-9_./]{1,8}\.py:[A-Za-z_][A-Za-z0-9_]{0,4}", fullmatch=True)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["none", "true", "1", "-0", "1e5", "1e999", "NaN", "a/b.pth", "VC@8", "a(b=c)", "\ud800", "٣", ""]
    )
)


def specs_with(values: st.SearchStrategy[object]) -> st.SearchStrategy[Spec]:
    arguments = st.dictionaries(words, values, max_size=4).map(lambda args: tuple(args.items()))
    return st.builds(Spec, names, arguments, st.none() | st.integers(0, 10**9 - 1))


specs = st.recursive(specs_with(plain), lambda inner: specs_with(plain | inner), max_leaves=6)


@given(specs)
def test_parse_is_the_inverse_of_str(spec: Spec) -> None:
    again = parse(str(spec))
    assert again == spec
    assert str(again) == str(spec)
    assert [(key, type(value)) for key, value in again.args] == [(key, type(value)) for key, value in spec.args]
    assert again.args == spec.args
    assert hash(again) == hash(spec)


@given(st.lists(specs, min_size=1, max_size=4))
def test_parse_list_reads_specs_separated_by_commas(many: list[Spec]) -> None:
    assert parse_list(",".join(map(str, many))) == many
    assert parse_list(" , ".join(map(str, many))) == many


@given(st.dictionaries(words, plain, max_size=4), st.randoms())
def test_order_of_arguments_does_not_matter(arguments: dict[str, object], random) -> None:
    pairs = list(arguments.items())
    shuffled = random.sample(pairs, len(pairs))
    assert str(Spec("x", tuple(pairs))) == str(Spec("x", tuple(shuffled)))
    assert Spec("x", tuple(pairs)) == Spec("x", tuple(shuffled))


@given(plain, plain)
def test_specs_are_equal_exactly_when_their_strings_are(one: object, other: object) -> None:
    a, b = Spec("x", (("k", one),)), Spec("x", (("k", other),))
    assert (a == b) == (str(a) == str(b)) == (type(one) is type(other) and repr(one) == repr(other))


def test_values_that_python_compares_equal_are_different_arguments() -> None:
    assert len({Spec("x", (("k", value),)) for value in (1, 1.0, True, "1")}) == 4


@given(st.text(max_size=60) | st.text('abV@8(),="\\ -.1e\n\0', max_size=40))
def test_any_text_is_a_spec_or_one_error_message(text: str) -> None:
    try:
        spec = parse(text)
    except UserError:
        return
    assert parse(str(spec)) == spec


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "@8", "VC@", "VC@-1", "VC@8x", "VC@9999999999", "a(", "a)", "a(b)", "a(b=)", "a(b=1", "a(b=1,)",
        "a(,)", "a(b=1,b=2)", "a(b=1)c", "a b", "a(b c=1)", "1a", "../a", 'a(b="c)', 'a(b="c"d)', 'a(b="\n")',
        "a(of=" * 40 + "b" + ")" * 40, "a" * 90_000 + "(", "(" * 90_000, "a(b='c d')", "a;b",
    ],
)  # fmt: skip
def test_invalid_spec_is_one_short_error_message(text: str) -> None:
    with pytest.raises(UserError, match="position") as caught:
        parse(text)
    assert len(str(caught.value)) < 500


def test_comma_is_offered_only_where_a_list_is_read() -> None:
    for read, offered in ((parse, False), (parse_list, True)):
        with pytest.raises(UserError) as caught:
            read("oracle hold")
        assert (caught.value.expected, "comma" in str(caught.value)) == (
            "nothing more, or a comma" if offered else "nothing more",
            offered,
        )


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-1", -1), ("1.5", 1.5), (".5", 0.5), ("1e-3", 1e-3), ("true", True), ("none", None), ("True", "True"),
     ("swin_t", "swin_t"), ('"1"', "1"), ("a/b c", None), ("480x853", "480x853"), ("hold(of=oracle)", "spec")],
)  # fmt: skip
def test_values_are_parsed_with_their_types(text: str, value: object) -> None:
    if text == "a/b c":
        with pytest.raises(UserError):
            parse_value(text)
    elif value == "spec":
        assert parse_value(text) == parse(text)
    else:
        assert parse_value(text) == value
        assert type(parse_value(text)) is type(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**18, -(10**30)])
def test_value_that_cannot_be_written_is_refused(value: object) -> None:
    with pytest.raises(UserError, match="cannot be an argument"):
        str(Spec("x", (("k", value),)))


@pytest.mark.parametrize("spec", [("a b", ()), ("", ()), ("a", (("b c", 1),)), ("a@8", ())])
def test_names_that_could_not_be_read_back_are_refused(spec: tuple) -> None:
    with pytest.raises(UserError, match="cannot be a name"):
        Spec(*spec)


def test_walk_yields_a_spec_and_its_inner_methods() -> None:
    inner = ["hold", "flowwarp", "oracle"]
    assert [spec.name for spec in walk(parse("hold(of=flowwarp(of=oracle,preset=fast))"))] == inner
    assert [spec.name for spec in walk(parse('hold(of="flowwarp(of=oracle)")'))] == inner
    assert [spec.name for spec in walk(parse("hold(of=mpvss(key_interval=auto(max=4)))"))] == ["hold", "mpvss"]
    assert parse("hold(of=oracle())") == parse("hold(of=oracle)")
    assert parse("hold(of=oracle)").with_args(key_interval=3) == parse("hold(key_interval=3,of=oracle)")
    assert parse("VC@8").at == 8


def test_overlong_spec_is_refused_with_a_short_message() -> None:
    for text in ("a" * 200_000, "oracle(" * 50_000):
        with pytest.raises(UserError, match="characters: ") as error:
            parse(text)
        assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("my_file.py:MyMethod", "my_file.py:MyMethod"),
        ("./my_file.py:MyMethod(k=3)", "my_file.py:MyMethod(k=3)"),
        ("a/../b//my-file.v2.py:My_2(k=3,a=x)", "b/my-file.v2.py:My_2(a=x,k=3)"),
        ("/abs/f.py:M", "/abs/f.py:M"),
        ("~/f.py:M", "~/f.py:M"),
        ("3d/наш.py:M", "3d/наш.py:M"),
        ("hold(of=./my_file.py:MyMethod)", "hold(of=my_file.py:MyMethod)"),
        ('hold(of="my_file.py:MyMethod",key_interval=2)', "hold(key_interval=2,of=my_file.py:MyMethod)"),
        ("hold(of=hold(of=my_file.py:MyMethod(k=3)))", "hold(of=hold(of=my_file.py:MyMethod(k=3)))"),
    ],
)
def test_names_in_files_are_parsed_to_a_canonical_form(text: str, canonical: str) -> None:
    spec = parse(text)
    assert str(spec) == canonical
    assert parse(canonical) == spec
    assert in_file([*walk(spec)][-1].name) is not None
    assert parse_list(f"{text},{text}") == [spec, spec]


@pytest.mark.parametrize(
    "text", ["my file.py:M", "a,b.py:M(", "f.py:", "f.py:3M", "f.txt:M", "f(1).py:M", "f\u202e.py:M"]
)
def test_invalid_names_in_files_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="position"):
        parse(text)
