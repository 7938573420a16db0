"""lxml: the trees of libxml2, many small blocks, stand at the line that parsed; Cython calls back into Python."""
from lxml import etree

from truth import allocated, finish, mark, mark_line

TEXT = "<all>" + "".join('<row number="%d"><name>some name %d</name></row>' % (n, n) for n in range(4000)) + "</all>"


class Target:
    def start(self, tag, attributes):
        mark(bytes(5000))

    def end(self, tag):
        mark(bytes(5000))

    def close(self):
        return mark(bytes(5000))


def parse(text):
    before = allocated()
    tree = etree.fromstring(text)
    grown = allocated() - before
    mark_line(grown * 0.7, grown * 1.02, line=-2)
    return tree


def main():
    etree.fromstring("<first/>")
    tree = parse(TEXT)
    etree.XML("<a><b/><c>text</c></a>", parser=etree.XMLParser(target=Target()))
    functions = etree.FunctionNamespace("urn:test")
    functions["held"] = lambda context: len(mark(bytes(5000)))
    tree.xpath("t:held()", namespaces={"t": "urn:test"})
    mark(bytes(5000))
    return tree


TREE = main()
finish()
