"""Each hazard of minifying a training script, with the smallest script that shows it."""

from __future__ import annotations

import ast
import contextlib
import io

import pytest

from auditor.packer.minify import Minified, minify
from auditor.packer.options import PackOptions


def _texts(source: str, **options: object) -> list[Minified]:
    return minify(source, PackOptions(**options))  # type: ignore[arg-type]


def _printed(source: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "<test>", "exec"), {"__name__": "__main__"})
    return out.getvalue()


def _differences(source: str, texts: list[str], names: tuple[str, ...]) -> list[str]:
    """Return the texts that print anything else than the source, or no longer spell one of the names."""
    wrong = []
    for text in texts:
        spelled = {getattr(n, a, None) for n in ast.walk(ast.parse(text)) for a in ("id", "arg", "name", "attr")}
        if _printed(text) != _printed(source) or not set(names) <= spelled:
            wrong.append(text)
    return wrong


def _broken(source: str, *names: str) -> list[str]:
    """Minify; return the texts that differ from the source in what they print or lack one of the names."""
    texts = [result.text for result in _texts(source)]
    assert texts, "nothing was minified, so nothing was tested"
    return _differences(source, texts, names)


def test_the_comparison_itself_sees_breakage() -> None:
    """A text that prints something else, or that lost a name, is reported; an equal one is not."""
    source = "kept=1\nprint(kept)\n"
    assert _differences(source, [source, "kept=2\nprint(kept)\n", "a=1\nprint(a)\n"], ("kept",)) == [
        "kept=2\nprint(kept)\n",
        "a=1\nprint(a)\n",
    ]


def test_locals_and_arguments_become_short() -> None:
    """Names that nobody can spell from outside are shortened, consistently."""
    source = (
        "def total(first_value,second_value):\n\tlong_name=first_value+second_value\n"
        "\treturn long_name*long_name\nprint(total(1,2))\n"
    )
    best = min(_texts(source), key=lambda t: len(t.text))
    assert "long_name" not in best.text and "first_value" not in best.text
    assert _printed(best.text) == "9\n"


def test_names_used_as_keywords_stay() -> None:
    """A parameter that some call spells keeps its name."""
    assert _broken("def scale(value,factor=2):\n\treturn value*factor\nprint(scale(3,factor=5))\n", "factor") == []


def test_parameters_reached_through_mappings_stay() -> None:
    """`f(**d)` reaches parameters by the strings of d, or by attribute names."""
    assert (
        _broken(
            "def scale(value,factor):\n\treturn value*factor\nprint(scale(**{'value':3,'factor':4}))\n",
            "value",
            "factor",
        )
        == []
    )
    source = "class Args:\n\twidth=3\n\tdepth=4\ndef area(width,depth):\n\treturn width*depth\n"
    source += "print(area(**{k:v for k,v in vars(Args).items() if k[0]!='_'}))\n"
    assert _broken(source, "width", "depth") == []


def test_attributes_stay() -> None:
    """Attributes are state_dict keys; they are never renamed."""
    source = (
        "class Net:\n\tdef __init__(self):\n\t\tself.weight_matrix=3\n"
        "print(vars(Net()),getattr(Net(),'weight_matrix'))\n"
    )
    assert _broken(source, "weight_matrix") == []


@pytest.mark.parametrize("reader", ["locals()", "vars()", "dir()", "eval('inner_value')"])
def test_names_read_by_string_stay(reader: str) -> None:
    """locals(), vars(), dir() and eval see local names."""
    assert _broken(f"def show():\n\tinner_value=4\n\treturn str({reader})\nprint(show())\n", "inner_value") == []


def test_vars_of_an_object_does_not_block_renaming() -> None:
    """`vars(x)` exposes attributes only."""
    source = "class A:\n\tpass\ndef show(thing_to_show):\n\treturn vars(thing_to_show)\nprint(show(A()))\n"
    assert any("thing_to_show" not in t.text for t in _texts(source))


def test_globals_reached_by_string_stay() -> None:
    """globals() reaches module names."""
    assert (
        _broken("learning_rate=3\ndef get():\n\treturn globals()['learning_rate']\nprint(get())\n", "learning_rate")
        == []
    )


def test_class_names_that_are_printed_stay() -> None:
    """type(x).__name__ and the text of an object spell the class."""
    assert _broken("class Muon:\n\tpass\nprint(type(Muon()).__name__)\n", "Muon") == []
    source = (
        "from dataclasses import dataclass\n@dataclass\nclass Hyper:\n\tlr:float=1.\nargs=Hyper()\nprint(f'{args}')\n"
    )
    assert _broken(source, "Hyper") == []


def test_dataclass_annotations_stay() -> None:
    """Fields of a dataclass exist by their annotations."""
    source = "from dataclasses import dataclass,fields\n@dataclass\nclass Hyper:\n\tlr:float=1.\n\tsteps:int=3\n"
    assert _broken(source + "print([f.name for f in fields(Hyper)])\n") == []


def test_named_tuple_annotations_stay() -> None:
    """So do those of a NamedTuple."""
    source = (
        "from typing import NamedTuple\nclass Pair(NamedTuple):\n\tleft:int\n\tright:int=2\nprint(Pair(1)._fields)\n"
    )
    assert _broken(source) == []


def test_kernel_functions_keep_every_name_and_annotation() -> None:
    """Triton compiles source text; constexpr annotations and parameter names are part of it."""
    source = (
        "def jit(f):\n\treturn f\nclass tl:\n\tconstexpr=int\n@jit\n"
        "def kernel(x_ptr,BLOCK:tl.constexpr):\n\toffset_now=x_ptr+BLOCK\n"
    )
    source += "\treturn offset_now\nprint(kernel(1,2))\n"
    for result in _texts(source):
        assert "def kernel(x_ptr,BLOCK:tl.constexpr)" in result.text and "offset_now" in result.text


def test_operator_schemas_keep_parameters_and_annotations() -> None:
    """torch.library.custom_op reads names and annotations."""
    source = "class library:\n\tdef custom_op(n):\n\t\treturn lambda f:f\n@library.custom_op('a::b')\n"
    source += "def fused(x_tensor:int,scale_by:float)->int:\n\treturn x_tensor\nprint(fused(1,2.))\n"
    for result in _texts(source):
        assert "def fused(x_tensor:int,scale_by:float)->int" in result.text


def test_docstrings_that_are_read_stay() -> None:
    """`__doc__` is data where something reads it."""
    source = '"""Usage text."""\nprint(__doc__)\n'
    for result in _texts(source):
        assert _printed(result.text) == "Usage text.\n"
        assert any(w.transform == "docstrings" for w in result.withheld)


def test_star_imports_pin_module_names() -> None:
    """A star import may bring any name; module names stay as they are."""
    assert _broken("from math import *\nbase_value=2\nprint(floor(pow(base_value,3)))\n", "base_value") == []


def test_class_bodies_that_read_an_outer_name_of_the_same_spelling() -> None:
    """`x = x` in a class body reads the outer x."""
    assert (
        _broken("width=3\nclass Args:\n\twidth=width\n\tdepth=width+1\nprint(Args.width,Args.depth)\n", "width") == []
    )


def test_nested_scopes_closures_and_comprehensions() -> None:
    """nonlocal, global, walrus, comprehension variables and except names follow their bindings."""
    source = """
counter_total=0
def outer(values):
    running=0
    def inner(step):
        nonlocal running
        global counter_total
        running+=step
        counter_total+=1
        return [found for item in values if (found:=item*step)>1]
    try:
        rows=[inner(v) for v in values]
        raise ValueError('seen')
    except ValueError as problem:
        return rows,running,str(problem),dict(enumerate(values)),(lambda *extra,**named:(extra,named))(1,key=2)
print(outer([1,2,3]),counter_total)
"""
    assert _broken(source) == []


def test_match_statements() -> None:
    """Names captured by patterns are renamed with their uses."""
    source = (
        "def kind(thing):\n\tmatch thing:\n\t\tcase [head,*rest]:return head,rest\n"
        "\t\tcase {'a':value,**others}:return value,others\n\t\tcase other:return other\n"
        "print(kind([1,2]),kind({'a':1,'b':2}),kind(5))\n"
    )
    assert _broken(source) == []


def test_debug_f_strings_print_the_original_name() -> None:
    """`f"{x=}"` prints the spelling of the source."""
    assert _broken("def show(long_name):\n\tprint(f'{long_name=}')\nshow(3)\n") == []


def test_local_annotation_that_makes_a_name_local() -> None:
    """A bare annotation can be what makes a name local; it is kept then."""
    source = "x=1\ndef f():\n\tx:int\n\ttry:return x\n\texcept UnboundLocalError:return 'unbound'\nprint(f())\n"
    assert _broken(source) == []


def test_every_transform_can_be_switched_off() -> None:
    """With all transforms off the tree is the source's tree."""
    from auditor.packer.passes import TRANSFORMS

    source = '"""Doc."""\nimport os\nimport sys\ndef f(a:int)->int:\n\t"""Doc."""\n\tb:int=2*3\n\treturn None\n'
    (only,) = _texts(source, skip=frozenset(TRANSFORMS))
    assert ast.dump(ast.parse(only.text)) == ast.dump(ast.parse(source))
    for name in TRANSFORMS:
        assert all(name not in " ".join(t.applied) for t in _texts(source, skip=frozenset({name})))


def test_keep_holds_a_name() -> None:
    """--keep is obeyed."""
    source = "def f(argument_one):\n\treturn argument_one\nprint(f(1))\n"
    assert all("argument_one" in t.text for t in _texts(source, keep=frozenset({"argument_one"})))


def test_unused_definitions_go_and_used_ones_stay() -> None:
    """Functions that nothing mentions are dropped; those named in a string are not."""
    source = "import json\nimport torch_like as t\ndef dead():\n\treturn 1\ndef named():\n\treturn 2\nprint('named')\n"
    text = _texts(source)[-1].text
    assert "dead" not in text and "json" not in text
    assert "def named" in text and "torch_like" in text


def test_no_links_are_left_on_shared_nodes() -> None:
    """CPython shares operator nodes between trees; the constant folder's links must not stay on them."""
    texts = _texts("y=4\nx=1000*1000-1+2*y\nprint(x)\n")
    assert "999999" in texts[0].text
    for node in ast.walk(ast.parse("a+b*c")):
        assert not set(vars(node)) - {*node._fields, *node._attributes}
