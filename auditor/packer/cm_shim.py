"""The decoder that travels in a `--level max` shim, and its recognition.

`SOURCE` is a compressed spelling of `cm_model.walk` around `cm_coder.Decoder`; a test holds the two equal.
Recognition never runs a shim's own decoder: a file that does not match the template byte for byte is simply not ours.
"""

from __future__ import annotations

import re
import zlib

from auditor.packer.cm_model import CONTEXTS, CmParams

SOURCE = """import math
def f(z):
 X=[];Y=[];D={};W={};s=w=k='';b=[s];x=0;r=1
 for i in range(16384):n=i>>1&7;p=i>>4;X+=int(143*math.log((p+2)/(1025-p))*(.7+1/(n+1))),;Y+=(int(p+(i%2*1023-p)/(n+@LAG@)+.5)*8+min(n+1,7))*2,
 while len(s)<@LENGTH@:
  d=[D.setdefault(i,{})for i in enumerate([@CONTEXTS@])];v,u=[W.setdefault(s[-i:],[0]*@COUNT@)for i in(1,2)];i=1
  while i<@TOP@:
   while r<1<<24:x=x*@RADIX@+(next(z)-14)%@RING@;r*=@RADIX@
   h=[X[c.get(i,8192)]for c in d];a=W.setdefault(i,[@WEIGHT@]*@COUNT@);t=0
   for c,A,B,C in zip(h,a,v,u):t+=c*(A+B+C)
   p=9+int(65518/(1+2**(-int(t)/99)));n=r*p>>16;y=x<n;r,x=y and(n,x)or(r-n,x-n);p=(y*65536-p)*@RATE@
   for n in range(@COUNT@):t=h[n]*p;a[n]+=t;v[n]+=t;u[n]+=t;c=d[n];c[i]=Y[c.get(i,8192)+y]
   i+=i+y
  c=chr(i-@TOP@);s+=c;b=c in'([{'and[w+c]+b or b[c in')]}':]or[''];w=(w+c)*('a'+c).isidentifier();k+='a'[w!=c:]if w else c
 return s
"""  # noqa: E501
PLAIN = "exec(f(z))"
TRACED = "import linecache\ns=f(z);linecache.cache['<string>']=0,None,s.splitlines(1),'';exec(s)"
"""Registers the source, so that inspect, triton.jit and tracebacks find it."""
WIDE = ".encode('L1')"


def fraction(number: int, places: int) -> str:
    """Spell number / 10 ** places without a leading zero: (12, 1) -> "1.2", (14, 2) -> ".14"."""
    whole, part = divmod(number, 10**places)
    tail = f"{part:0{places}d}".rstrip("0")
    return (str(whole) if whole else "") + ("." + tail if tail else "") or "0"


def _fill(values: dict[str, str], text: str) -> str:
    return re.sub("@([A-Z]+)@", lambda match: values[match[1]], text)


def _ending(params: CmParams, traced: bool) -> str:
    if not params.wide:
        return TRACED if traced else PLAIN
    if not traced:
        return f"exec(f(z){WIDE})"
    return TRACED.replace("f(z)", f"f(z){WIDE}.decode()")


def body(params: CmParams, radix: int, traced: bool) -> str:
    """Return the decoder's source; it expects the payload's character codes in `z` (an iterator) and ends by running
    the text."""
    values = {
        "LAG": fraction(params.lag, 1),
        "LENGTH": str(params.length),
        "CONTEXTS": ",".join(CONTEXTS),
        "COUNT": str(len(CONTEXTS)),
        "TOP": str(1 << params.bits),
        "RADIX": str(radix),
        "RING": str(radix + 1),
        "WEIGHT": fraction(params.weight, 2),
        "RATE": f"{params.rate}e-11",
    }
    return _fill(values, SOURCE) + _ending(params, traced)


def read_body(text: str) -> tuple[CmParams, int] | None:
    """Return the parameters and radix of a decoder body, None where it is not byte for byte one of ours."""
    length = re.search(r"while len\(s\)<(\d{1,9}):", text)
    rate = re.search(r"\*(\d{1,5})e-11$", text, re.MULTILINE)
    lag = re.search(r"-p\)/\(n\+([\d.]{1,5})\)", text)
    weight = re.search(r"\(i,\[([\d.]{1,5})\]\*", text)
    radix = re.search(r"r\*=(\d{1,3})$", text, re.MULTILINE)
    if not (length and rate and lag and weight and radix):
        return None
    params = CmParams(
        length=int(length[1]),
        rate=int(rate[1]),
        lag=round(float(lag[1]) * 10),
        weight=round(float(weight[1]) * 100),
        wide="while i<256:" in text,
    )
    same = any(body(params, int(radix[1]), traced) == text for traced in (False, True))
    return (params, int(radix[1])) if same and params.lag > 0 else None


def inflate_body(data: bytes, most: int) -> str | None:
    """Inflate a raw deflate stream of at most `most` bytes; None where it is not one or is longer."""
    stream = zlib.decompressobj(-15)
    try:
        raw = stream.decompress(data, most)
    except zlib.error:
        return None
    return raw.decode("latin-1") if stream.eof else None
