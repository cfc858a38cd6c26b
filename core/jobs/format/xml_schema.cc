#include "core/jobs/format/xml_schema.h"

#include <libxml/xmlwriter.h>

#include <initializer_list>
#include <memory>
#include <utility>

#include "core/base/check.h"

namespace postern::jobs {
namespace {

const xmlChar* X(const char* text) {
  return reinterpret_cast<const xmlChar*>(text);
}

// One document in memory, where nothing of the library can fail but for want of memory.
class Document {
 public:
  using Attributes = std::initializer_list<std::pair<const char*, std::string>>;

  Document() : buffer_(xmlBufferCreate()), writer_(xmlNewTextWriterMemory(buffer_, 0)) {
    POSTERN_CHECK(writer_ != nullptr, "libxml2 gives a writer");
    xmlTextWriterSetIndent(writer_, 1);
    xmlTextWriterStartDocument(writer_, "1.0", "UTF-8", nullptr);
  }
  ~Document() {
    xmlFreeTextWriter(writer_);
    xmlBufferFree(buffer_);
  }
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  void Open(const char* name, Attributes attributes = {}) {
    xmlTextWriterStartElement(writer_, X(name));
    for (const auto& [attribute, value] : attributes) {
      xmlTextWriterWriteAttribute(writer_, X(attribute), X(value.c_str()));
    }
  }
  void Close() { xmlTextWriterEndElement(writer_); }
  void Put(const char* name, Attributes attributes) {
    Open(name, attributes);
    Close();
  }
  std::string Finish() {
    xmlTextWriterEndDocument(writer_);
    xmlTextWriterFlush(writer_);
    return {reinterpret_cast<const char*>(xmlBufferContent(buffer_)),
            static_cast<size_t>(xmlBufferLength(buffer_))};
  }

 private:
  xmlBuffer* buffer_;
  xmlTextWriter* writer_;
};

bool IsPlainTime(const Column& column) {
  return column.type == Type::kTime && column.time_format.empty();
}

// A flag or a time that there is none of is an empty element; in a delta any may be.
std::string TypeOf(const Shape& shape, const Column& column) {
  const bool filled = column.key || (column.required && shape.mode == Mode::kFull);
  if (column.type == Type::kBoolean) return filled ? "xs:boolean" : "boolean-or-none";
  if (IsPlainTime(column)) return filled ? "xs:dateTime" : "time-or-none";
  return "xs:string";
}

void PutColumn(const Shape& shape, const Column& column, Document* to) {
  const bool always = column.key || (column.required && shape.mode == Mode::kFull);
  const std::string least = always ? "1" : "0";
  if (column.type != Type::kList) {
    to->Put("xs:element",
            {{"name", column.name}, {"type", TypeOf(shape, column)}, {"minOccurs", least}});
    return;
  }
  to->Open("xs:element", {{"name", column.name}, {"minOccurs", least}});
  to->Open("xs:complexType");
  to->Open("xs:sequence");
  to->Put("xs:element", {{"name", shape.item},
                         {"type", "xs:string"},
                         {"minOccurs", "0"},
                         {"maxOccurs", "unbounded"}});
  for (int i = 0; i < 3; ++i) to->Close();
}

// An export of deltas writes full files, too: the first one, and those that are asked for.
void PutOperation(const Shape& shape, Document* to) {
  to->Open("xs:attribute", {{"name", shape.operation}, {"use", "optional"}});
  to->Open("xs:simpleType");
  to->Open("xs:restriction", {{"base", "xs:string"}});
  for (const Operation one : {Operation::kAdd, Operation::kModify, Operation::kDelete}) {
    to->Put("xs:enumeration", {{"value", std::string(ToString(one))}});
  }
  for (int i = 0; i < 3; ++i) to->Close();
}

void PutRoot(const Shape& shape, Document* to) {
  to->Open("xs:element", {{"name", shape.root}});
  to->Open("xs:complexType");
  to->Open("xs:sequence");
  to->Open("xs:element", {{"name", shape.element}, {"minOccurs", "0"}, {"maxOccurs", "unbounded"}});
  to->Open("xs:complexType");
  to->Open("xs:sequence");
  for (const Column& column : shape.columns) PutColumn(shape, column, to);
  to->Close();
  if (shape.mode == Mode::kDelta) PutOperation(shape, to);
  for (int i = 0; i < 3; ++i) to->Close();  // row's type, row, sequence
  if (shape.mode == Mode::kDelta) {
    to->Put("xs:attribute", {{"name", "mode"}, {"type", "xs:string"}, {"fixed", "delta"}});
    to->Put("xs:attribute", {{"name", "base-sequence"}, {"type", "xs:unsignedLong"}});
  }
  to->Put("xs:attribute", {{"name", "sequence"}, {"type", "xs:unsignedLong"}});
  to->Put("xs:attribute", {{"name", "generated"}, {"type", "xs:dateTime"}});
  to->Close();
  to->Close();
}

// What stands for `type`, or for nothing.
void PutOrNone(const char* name, const char* type, Document* to) {
  to->Open("xs:simpleType", {{"name", name}});
  to->Put("xs:union", {{"memberTypes", std::string(type) + " none"}});
  to->Close();
}

}  // namespace

std::string XmlSchemaOf(const Shape& shape) {
  Document document;
  document.Open("xs:schema", {{"xmlns:xs", "http://www.w3.org/2001/XMLSchema"}});
  PutRoot(shape, &document);
  document.Open("xs:simpleType", {{"name", "none"}});
  document.Open("xs:restriction", {{"base", "xs:string"}});
  document.Put("xs:length", {{"value", "0"}});
  document.Close();
  document.Close();
  PutOrNone("boolean-or-none", "xs:boolean", &document);
  PutOrNone("time-or-none", "xs:dateTime", &document);
  document.Close();
  return document.Finish();
}

}  // namespace postern::jobs
