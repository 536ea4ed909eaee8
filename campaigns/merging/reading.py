"""Reading a source: from its letters to steps that say it to one person.

python-liquid reads the expressions between the braces; the blocks around them and all that runs are ours.
So there are no loops, no files and no attributes, each step runs once at most, and a text can take no more
time or memory than its own length allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from django.utils.translation import gettext as _
from liquid import Environment, Token, TokenStream
from liquid.builtin.expressions import (
    BooleanExpression,
    Filter,
    FilteredExpression,
    Literal,
    Nil,
    Path,
    PositionalArgument,
    StringLiteral,
    logical,
    parse_primitive,
    primitive,
    tokenize,
)
from liquid.exceptions import LiquidError
from liquid.token import TOKEN_COMMA, TOKEN_EOF, TOKEN_EXPRESSION, TOKEN_OR

from campaigns.merging import asking, days
from campaigns.merging.asking import Ask
from campaigns.merging.filters import FILTERS
from campaigns.merging.lexing import Piece, pieces
from campaigns.merging.run import NOTHING, Bad, Expression, Missing, Run, Step

# What a field begins with, and how deep one block may be in another.
ROOTS = ("contact", "row", "workspace")
_DEEPEST = 10
_ENDS = {"if": "endif", "unless": "endunless", "case": "endcase"}
_WITHIN = {"else", "elsif", "when", *_ENDS.values()}
_ASKS: dict[type[Any], Ask] = {
    logical.EqExpression: asking.same,
    logical.NeExpression: asking.other,
    logical.LtExpression: asking.less,
    logical.LeExpression: asking.most,
    logical.GtExpression: asking.more,
    logical.GeExpression: asking.least,
    logical.ContainsExpression: asking.contains,
}
_ENVIRONMENT = Environment()


class Place(NamedTuple):
    """A field that a text names, and where."""

    name: str
    at: int


Steps = list[str | Step]


def play(steps: Steps, run: Run) -> None:
    """Take steps one after another. Raises Unmakeable."""
    for step in steps:
        if isinstance(step, str):
            run.write(step)
        else:
            step(run)


def read(source: str) -> tuple[Steps, tuple[Place, ...]]:
    """Give the steps that say a text, and the fields it names in their order. Raises Bad."""
    reader = _Reader(source)
    steps, end = reader.block(depth=0)
    if end:
        raise Bad(
            source,
            end.at,
            _("There is no block here that “%(tag)s” could belong to.") % {"tag": end.name},
        )
    return steps, tuple(reader.places)


def close_to(word: str, known: Iterable[str] | Mapping[str, str]) -> str:
    """Give a sentence about what somebody may have meant, "" when nothing is near.

    Of a mapping, its keys are compared and its values are named.
    """
    near = get_close_matches(word.lower(), list(known), n=1)
    if not near:
        return ""
    named = known[near[0]] if isinstance(known, Mapping) else near[0]
    return " " + _("Did you mean “%(near)s”?") % {"near": named}


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.places: list[Place] = []
        self._pieces = pieces(source)

    # ---- Blocks ---------------------------------------------------------------------------------

    def block(self, depth: int) -> tuple[Steps, Piece | None]:
        """Read up to a tag that ends or divides a block; give it, too, None at the end of all."""
        steps: Steps = []
        for piece in self._pieces:
            if piece.kind == "text":
                if piece.inner:
                    steps.append(piece.inner)
            elif piece.kind == "output":
                steps.append(self._output(piece))
            elif piece.name in _WITHIN:
                if piece.inner and piece.name not in ("elsif", "when"):
                    raise self._alone(piece)
                return steps, piece
            else:
                steps.append(self._tag(piece, depth + 1))
        return steps, None

    def _alone(self, piece: Piece) -> Bad:
        words = _("“%(tag)s” stands alone.") % {"tag": piece.name}
        if piece.name == "else" and piece.inner.split()[0] == "if":
            words = _("Write “elsif” in one word.")
        return Bad(self.source, piece.inner_at, words)

    def _tag(self, piece: Piece, depth: int) -> Step:
        if piece.name not in _ENDS:
            if not piece.name:
                raise Bad(self.source, piece.at, _("Something is missing here."))
            words = _("There is no tag “%(tag)s”: a text can use if, unless, case and comment.")
            near = close_to(piece.name, [*_ENDS, *_WITHIN, "comment"])
            raise Bad(self.source, piece.at, words % {"tag": piece.name} + near)
        if depth > _DEEPEST:
            words = _("More than %(most)s blocks are in one another here.") % {"most": _DEEPEST}
            raise Bad(self.source, piece.at, words)
        return self._case(piece, depth) if piece.name == "case" else self._if(piece, depth)

    def _if(self, opening: Piece, depth: int) -> Step:
        branches = [(self._condition(opening), *self.block(depth))]
        while (end := branches[-1][2]) and end.name == "elsif":
            branches.append((self._condition(end), *self.block(depth)))
        otherwise: Steps = []
        if end and end.name == "else":
            otherwise, end = self.block(depth)
        self._expect_end(opening, end)
        turned = opening.name == "unless"
        choices = [(condition, steps) for condition, steps, _end in branches]

        def choose(run: Run) -> None:
            for place, (condition, steps) in enumerate(choices):
                if asking.is_true(condition(run)) != (turned and place == 0):
                    return play(steps, run)
            return play(otherwise, run)

        return choose

    def _case(self, opening: Piece, depth: int) -> Step:
        subject = self._value(parse_primitive, opening)
        before, end = self.block(depth)
        if any(not isinstance(step, str) or step.strip() for step in before):
            words = _("What stands between “case” and the first “when” is never sent.")
            raise Bad(self.source, opening.at, words)
        choices: list[tuple[list[Expression], Steps]] = []
        otherwise: Steps = []
        while end and end.name == "when":
            wanted = self._choices(end)
            steps, end = self.block(depth)
            choices.append((wanted, steps))
        if end and end.name == "else":
            otherwise, end = self.block(depth)
        self._expect_end(opening, end)

        def choose(run: Run) -> None:
            found = subject(run)
            for wanted, steps in choices:
                if any(asking.same(run, found, one(run)) for one in wanted):
                    return play(steps, run)
            return play(otherwise, run)

        return choose

    def _expect_end(self, opening: Piece, end: Piece | None) -> None:
        expected = _ENDS[opening.name]
        if end is None:
            words = _("This is never closed: write %(closing)s where it ends.")
            raise Bad(self.source, opening.at, words % {"closing": f"{{% {expected} %}}"})
        if end.name != expected:
            words = _("“%(tag)s” cannot stand here: “%(opening)s” ends with “%(expected)s”.")
            named = {"tag": end.name, "opening": opening.name, "expected": expected}
            raise Bad(self.source, end.at, words % named)

    # ---- Between braces -------------------------------------------------------------------------

    def _output(self, piece: Piece) -> Step:
        value = self._value(FilteredExpression.parse, piece)

        def say(run: Run) -> None:
            found = value(run)
            if isinstance(found, Missing):
                if found.name:
                    run.lacking.append(found.name)
            else:
                run.write(days.said(run.language, found) if found.__class__ is not str else found)

        return say

    def _condition(self, piece: Piece) -> Expression:
        return self._value(BooleanExpression.parse, piece)

    def _value(self, parse: Any, piece: Piece) -> Expression:
        tokens = self._tokens(piece)
        try:
            found = parse(_ENVIRONMENT, tokens)
            tokens.expect_eos()
        except (LiquidError, RecursionError) as error:
            raise self._unreadable(error, piece) from None
        return self._expression(found)

    def _choices(self, piece: Piece) -> list[Expression]:
        """Read what follows “when”: values with commas or “or” between them."""
        tokens = self._tokens(piece)
        try:
            found = [parse_primitive(_ENVIRONMENT, tokens)]
            while tokens.current.kind in (TOKEN_COMMA, TOKEN_OR):
                next(tokens)
                found.append(parse_primitive(_ENVIRONMENT, tokens))
            tokens.expect_eos()
        except (LiquidError, RecursionError) as error:
            raise self._unreadable(error, piece) from None
        return [self._expression(one) for one in found]

    def _tokens(self, piece: Piece) -> TokenStream:
        whole = Token(TOKEN_EXPRESSION, piece.inner, piece.inner_at, self.source)
        try:
            return TokenStream(tokenize(piece.inner, whole))
        except LiquidError as error:
            raise self._unreadable(error, piece) from None

    def _unreadable(self, error: Exception, piece: Piece) -> Bad:
        """Say what a reader of expressions stumbled over, in words for people."""
        token = getattr(error, "token", None)
        if token is None or token.kind == TOKEN_EOF or token.start_index < 0:
            end = piece.inner_at + len(piece.inner.rstrip())
            return Bad(self.source, end, _("Something is missing here."))
        if token.value in "“”„‟«»‘’":
            words = _('Write straight quotes: "like this".')
        elif token.value in "\"'":
            words = _("This quote is never closed.")
        elif set(token.value) <= set("=!<>"):
            words = _("“%(sign)s” compares nothing: write ==, !=, <, >, <= or >=.")
        else:
            words = _("“%(sign)s” cannot stand here.")
        return Bad(self.source, token.start_index, words % {"sign": token.value})

    # ---- Expressions ----------------------------------------------------------------------------

    def _expression(self, node: Any) -> Expression:
        if isinstance(node, Path):
            return self._field(node)
        if isinstance(node, Literal):
            return self._literal(node)
        if isinstance(node, Nil | primitive.Empty | primitive.Blank):
            return lambda run: NOTHING
        if isinstance(node, FilteredExpression):
            return self._filtered(node)
        if isinstance(node, BooleanExpression):
            return self._expression(node.expression)
        if isinstance(node, logical.LogicalAndExpression | logical.LogicalOrExpression):
            return self._both(node)
        if ask := _ASKS.get(type(node)):
            return self._asked(node, ask)
        raise self._not_here(node.token)

    def _not_here(self, token: Token) -> Bad:
        words = _("“%(sign)s” cannot stand here.") % {"sign": token.value}
        return Bad(self.source, max(token.start_index, 0), words)

    def _literal(self, node: Any) -> Expression:
        value = node.value
        if not isinstance(value, str) and not abs(value) < 10**15:
            raise Bad(self.source, node.token.start_index, _("This number is too large."))
        constant = NOTHING if isinstance(value, str) and not value.strip() else value
        return lambda run: constant

    def _field(self, node: Path) -> Expression:
        index = node.token.start_index
        parts = node.path
        if len(parts) != 2 or not all(isinstance(part, str) for part in parts):
            raise Bad(self.source, index, self._no_field(node))
        root, key = str(parts[0]), str(parts[1])
        if root not in ROOTS:
            raise Bad(self.source, index, self._no_field(node))
        absent = Missing(f"{root}.{key}")
        self.places.append(Place(absent.name, index))

        def value(run: Run) -> Any:
            known = run.values.get(root)
            found = known.get(key) if known else None
            if found is None or (found.__class__ is str and (not found or found.isspace())):
                return absent
            return found

        return value

    def _no_field(self, node: Path) -> str:
        first = str(node.path[0])
        if len(node.path) == 1:
            words = _(
                "“%(name)s” is no field: write contact.%(name)s for what you keep of people, "
                "or row.%(name)s for a column of the file."
            )
            return words % {"name": first}
        words = _("“%(name)s” is no field: a field is contact., row. or workspace. and one word.")
        return words % {"name": str(node)[:60]}

    def _filtered(self, node: FilteredExpression) -> Expression:
        value = self._expression(node.left)
        chain = [self._filter(one) for one in node.filters or []]
        if not chain:
            return value

        def changed(run: Run) -> Any:
            found = value(run)
            for definition, arguments in chain:
                given = [argument(run) for argument in arguments]
                if not definition.of_missing:
                    unknown = [one for one in (found, *given) if isinstance(one, Missing)]
                    if unknown:
                        found = unknown[0]
                        continue
                found = definition.call(run, found, *given)
            return found

        return changed

    def _filter(self, node: Filter) -> Any:
        at = node.token.start_index
        definition = FILTERS.get(node.name)
        if definition is None:
            words = _("There is no filter “%(filter)s”.") % {"filter": node.name}
            raise Bad(self.source, at, words + close_to(node.name, list(FILTERS)))
        amount = len(node.args)
        positional = [arg for arg in node.args if isinstance(arg, PositionalArgument)]
        if not definition.least <= amount <= definition.most or len(positional) != amount:
            words = _("Write it so: “| %(example)s”.") % {"example": definition.example}
            raise Bad(self.source, at, words)
        if node.name == "date" and positional:
            self._check_format(positional[0].value)
        return definition, [self._expression(arg.value) for arg in positional]

    def _check_format(self, node: Any) -> None:
        at = node.token.start_index
        if not isinstance(node, StringLiteral):
            words = _('date wants its format in quotes, such as "%(example)s".')
            raise Bad(self.source, at, words % {"example": "%d/%m/%Y"})
        if code := days.unknown_code(node.value):
            words = _("“%(code)s” is no part of a date that a text knows.") % {"code": code}
            raise Bad(self.source, at, words)

    def _asked(self, node: Any, ask: Ask) -> Expression:
        one, other = self._expression(node.left), self._expression(node.right)
        return lambda run: ask(run, one(run), other(run))

    def _both(self, node: logical.LogicalAndExpression | logical.LogicalOrExpression) -> Expression:
        one, other = self._expression(node.left), self._expression(node.right)
        if isinstance(node, logical.LogicalOrExpression):
            return lambda run: asking.is_true(one(run)) or asking.is_true(other(run))
        if isinstance(node.right, logical.LogicalOrExpression):
            # Liquid takes “a and b or c” for “a and (b or c)”, which nobody expects.
            words = _("“and” before “or” is easily misread: put one “if” into another.")
            raise Bad(self.source, node.token.start_index, words)
        return lambda run: asking.is_true(one(run)) and asking.is_true(other(run))
