"""The length engine counts as the networks do, and the browser counts as we do."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import gsm0338  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import gsm

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "lib" / "gsm_table.json"
SCRIPT = ROOT / "static" / "js" / "segments.js"
JUDGE = gsm0338.Codec()

EXTENSION = "^{}\\[]~|€\f"
BASIC = "".join(chr(code) for code in range(0x20, 0x7F)).translate(
    dict.fromkeys(map(ord, EXTENSION + "`"))
)
BASIC += "\n\r¡£¤¥§¿ÄÅÆÇÉÑÖØÜßàäåæèéìñòöøùüΓΔΘΛΞΠΣΦΨΩ"
LIMITS = {"gsm7": (160, 153), "ucs2": (70, 67)}

gsm_texts = st.text(st.sampled_from(BASIC + EXTENSION), max_size=400)
any_texts = st.text(st.characters(), max_size=160) | st.text(
    st.sampled_from("ab€{’…😀🏳\u200d\ud83d\ude00ê\u0301\t"), max_size=240
)


def units(text: str, encoding: str) -> int:
    """Count by definition, not by the engine's way."""
    if encoding == "gsm7":
        return sum(2 if char in EXTENSION else 1 for char in text)
    return sum(2 if ord(char) > 0xFFFF else 1 for char in text)


@pytest.mark.parametrize(
    ("text", "encoding", "segments", "used", "left"),
    [
        pytest.param("", "gsm7", 0, 0, 160, id="nothing"),
        pytest.param("a", "gsm7", 1, 1, 159, id="one letter"),
        pytest.param("a" * 160, "gsm7", 1, 160, 0, id="160 fill one"),
        pytest.param("a" * 161, "gsm7", 2, 161, 145, id="161 are two"),
        pytest.param("a" * 306, "gsm7", 2, 306, 0, id="306 fill two"),
        pytest.param("a" * 307, "gsm7", 3, 307, 152, id="307 are three"),
        pytest.param("€" * 80, "gsm7", 1, 160, 0, id="80 euros fill one"),
        pytest.param("€" * 153, "gsm7", 3, 306, 151, id="153 euros are three, not two"),
        pytest.param("a" * 152 + "€" + "a" * 7, "gsm7", 2, 161, 144, id="pair at the border"),
        pytest.param("a" * 151 + "€" + "a" * 8, "gsm7", 2, 161, 145, id="pair before the border"),
        pytest.param("ê" * 70, "ucs2", 1, 70, 0, id="70 fill one"),
        pytest.param("ê" * 71, "ucs2", 2, 71, 63, id="71 are two"),
        pytest.param("😀" * 35, "ucs2", 1, 70, 0, id="35 emoji fill one"),
        pytest.param("😀" * 67, "ucs2", 3, 134, 65, id="67 emoji are three, not two"),
        pytest.param("ê" * 66 + "😀" + "ê" * 3, "ucs2", 2, 71, 62, id="emoji at the border"),
        pytest.param("\ud83d", "ucs2", 1, 1, 69, id="half an emoji"),
        pytest.param("`", "ucs2", 1, 1, 69, id="back-tick"),
        pytest.param("\t", "ucs2", 1, 1, 69, id="tab"),
        pytest.param("\x1b", "ucs2", 1, 1, 69, id="escape"),
        pytest.param("ç", "ucs2", 1, 1, 69, id="small c with cedilla"),
        pytest.param("\f", "gsm7", 1, 2, 158, id="form feed counts two"),
        pytest.param("a\r\nb", "gsm7", 1, 4, 156, id="line ends count one each"),
        pytest.param("€{ê", "ucs2", 1, 3, 67, id="in UCS-2 the euro counts one"),
    ],
)
def test_a_text_is_as_long_as_the_networks_say(
    text: str, encoding: str, segments: int, used: int, left: int
) -> None:
    length = gsm.measure(text)

    assert (length.encoding, length.segments, length.units) == (encoding, segments, used)
    assert length.left == left
    assert length.limit == LIMITS[encoding][segments > 1]


@given(any_texts | gsm_texts)
def test_the_parts_joined_are_the_text(text: str) -> None:
    assert "".join(gsm.split(text)) == text


@given(any_texts | gsm_texts)
def test_no_part_is_longer_than_a_segment_and_none_could_hold_more(text: str) -> None:
    encoding = gsm.measure(text).encoding
    alone, joined = LIMITS[encoding]
    parts = gsm.split(text)

    assert all(parts)
    limit = joined if len(parts) > 1 else alone
    assert all(units(part, encoding) <= limit for part in parts)
    for part, following in pairwise(parts):
        assert units(part + following[0], encoding) > joined
    if len(parts) > 1:
        assert units(text, encoding) > alone


@given(any_texts | gsm_texts)
def test_the_count_is_the_number_of_parts(text: str) -> None:
    length = gsm.measure(text)
    parts = gsm.split(text)

    assert length.segments == len(parts)
    assert length.units == units(text, length.encoding)
    assert length.left == length.limit - units(parts[-1] if parts else "", length.encoding)


@given(any_texts | gsm_texts)
def test_a_text_is_unicode_exactly_when_something_is_named(text: str) -> None:
    length = gsm.measure(text)
    outside = [char for char in text if char not in BASIC + EXTENSION]

    assert length.encoding == ("ucs2" if outside else "gsm7")
    assert [culprit.char for culprit in length.culprits] == list(dict.fromkeys(outside))
    assert all(text.index(culprit.char) == culprit.index for culprit in length.culprits)


def test_culprits_come_once_in_order_with_their_replacement() -> None:
    length = gsm.measure("Déjà vu… l’été 😀, l’hiver…")

    assert [(c.char, c.index, c.replacement) for c in length.culprits] == [
        ("…", 7, "..."),
        ("’", 10, "'"),
        ("😀", 15, None),
    ]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        pytest.param("l’été", "l'été", id="apostrophe, and é stays"),
        pytest.param("“hi” «oui»", '"hi" "oui"', id="quotation marks"),
        pytest.param("1–2 — 3", "1-2 - 3", id="dashes"),
        pytest.param("wait…", "wait...", id="ellipsis"),
        pytest.param("à 8\u202fh\u00a030", "à 8 h 30", id="spaces that do not break"),
        pytest.param("cœur, forêt, reçu", "coeur, foret, recu", id="French letters"),
        pytest.param(
            "Łódź, Niño, ¿qué tal, José María?",
            "Lodz, Niño, ¿qué tal, José Maria?",
            id="other letters",
        ),
        pytest.param("e\u0301te\u0301 a\u0302ge", "été age", id="loose accents are put together"),
        pytest.param("+33 6\u202c", "+33 6", id="invisible marks go"),
        pytest.param("Привет 😀", "Привет 😀", id="other scripts and emoji stay"),
    ],
)
def test_typing_habits_are_replaced_and_nothing_else(text: str, plain: str) -> None:
    assert gsm.replaceable(text) == plain


@given(any_texts)
def test_replacing_leaves_only_what_has_no_replacement(text: str) -> None:
    replaced = gsm.replaceable(text)

    assert all(culprit.replacement is None for culprit in gsm.measure(replaced).culprits)
    assert gsm.replaceable(replaced) == replaced


@given(gsm_texts)
def test_a_gsm_text_is_left_alone(text: str) -> None:
    assert gsm.replaceable(text) == text


@given(gsm_texts)
def test_septets_are_those_of_an_independent_codec(text: str) -> None:
    septets = gsm.encode(text, "gsm7")

    assert septets == JUDGE.encode(text)[0]
    assert gsm.decode(septets, "gsm7") == text
    assert len(septets) == gsm.measure(text).units


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_unicode_texts_come_back_as_they_went(text: str) -> None:
    octets = gsm.encode(text, "ucs2")

    assert gsm.decode(octets, "ucs2") == text
    assert len(octets) == 2 * units(text, "ucs2")


def test_half_an_emoji_is_sent_as_the_replacement_character() -> None:
    assert gsm.encode("a\ud83d", "ucs2") == b"\x00a\xff\xfd"


def test_a_text_outside_the_alphabet_is_never_sent_as_gsm() -> None:
    with pytest.raises(ValueError, match="outside the GSM alphabet"):
        gsm.encode("ê", "gsm7")


@pytest.mark.parametrize(
    ("septets", "text"),
    [
        pytest.param(b"\x1be", "€", id="escape pair"),
        pytest.param(b"\x1bA", "A", id="unknown escape shows the letter"),
        pytest.param(b"\x1b\x1b", " ", id="two escapes show a space"),
        pytest.param(b"a\x1b", "a", id="escape at the end"),
        pytest.param(b"\x80a", "\ufffda", id="no septet"),
        pytest.param(b"\x1b\x0a", "\f", id="form feed"),
    ],
)
def test_strange_septets_are_read_as_the_standard_says(septets: bytes, text: str) -> None:
    assert gsm.decode(septets, "gsm7") == text


@given(st.binary())
def test_reading_never_fails(data: bytes) -> None:
    gsm.decode(data, "gsm7")
    gsm.decode(data, "ucs2")


def test_the_browser_has_the_same_table() -> None:
    script = SCRIPT.read_text(encoding="utf-8")

    start = script.index("const table = ") + len("const table = ")
    table, _ = json.JSONDecoder().raw_decode(script, start)

    # When this fails, paste lib/gsm_table.json into segments.js.
    assert table == json.loads(TABLE.read_text(encoding="utf-8"))


def a_text(dice: random.Random, alphabet: str) -> str:
    """Give a text that likes to end, or to have a pair, near a border of a segment."""
    border = dice.choice([0, 5, 35, 67, 70, 134, 153, 160, 201, 306, 459])
    text = "".join(dice.choices(alphabet, k=max(0, border + dice.randint(-3, 3))))
    return text + "".join(dice.choices(alphabet + "€😀", k=dice.randint(0, 6)))


def generated_texts(count: int) -> list[str]:
    dice = random.Random(23038)
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    alphabets = [
        "a",
        "aé€",
        BASIC,
        BASIC + EXTENSION,
        EXTENSION,
        "😀",
        "ê😀",
        "ab’…😀",
        "a\ud83d",
        "\ude00é",
        "\x00\t\x1b\x7f`aA\u0301\u0302\u0327",
        "".join(table["replacements"].values()) + "ab",
        "".join(chr(dice.randrange(0x20, 0x11000)) for _ in range(300)),
    ]
    texts = [a_text(dice, dice.choice(alphabets)) for _ in range(count)]
    # JSON joins two halves that meet; Python would keep them apart.
    return [
        text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") for text in texts
    ]


def in_python(text: str) -> dict[str, object]:
    length = gsm.measure(text)
    culprits = [
        # The browser's index counts UTF-16 code units.
        {"char": c.char, "index": units(text[: c.index], "ucs2"), "replacement": c.replacement}
        for c in length.culprits
    ]
    return {
        "encoding": length.encoding,
        "segments": length.segments,
        "units": length.units,
        "limit": length.limit,
        "left": length.left,
        "culprits": culprits,
        "replaced": gsm.replaceable(text),
    }


def in_browser(texts: list[str]) -> list[dict[str, object]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the browser's counter cannot be run here")
    ask = """
      const answer = (text) => ({ ...segments.measure(text), replaced: segments.replaceAll(text) });
      const texts = JSON.parse(require("node:fs").readFileSync(0, "utf-8"));
      process.stdout.write(JSON.stringify(texts.map(answer)));
    """
    script = SCRIPT.read_text(encoding="utf-8") + ask
    ran = subprocess.run(
        [node, "--eval", script], input=json.dumps(texts).encode(), capture_output=True, check=True
    )
    answers: list[dict[str, object]] = json.loads(ran.stdout)
    return answers


def test_the_browser_counts_as_the_server_does() -> None:
    texts = generated_texts(5_000)

    answers = in_browser(texts)

    assert len(answers) == len(texts)
    for text, answer in zip(texts, answers, strict=True):
        assert answer == in_python(text), ascii(text)


@given(gsm_texts | any_texts)
def test_septets_are_there_exactly_for_what_gsm_can_hold(text: str) -> None:
    septets = gsm.septets(text)

    if gsm.encoding_of(text) == "gsm7":
        assert septets == JUDGE.encode(text)[0]
        assert gsm.decode(septets or b"", "gsm7") == text
    else:
        assert septets is None
