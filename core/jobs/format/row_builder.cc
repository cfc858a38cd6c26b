// Rows from pieces in any order.
#include <fmt/format.h>

#include "core/diag/codes.h"
#include "core/jobs/format/intake.h"

namespace postern::jobs::internal {

namespace code = diag::code;

RowBuilder::RowBuilder(Gate* gate)
    : gate_(gate),
      slots_(gate->shape().columns.size()),
      cells_(slots_.size()),
      items_(slots_.size()) {}

void RowBuilder::Begin(uint64_t line, Operation operation) {
  line_ = line;
  operation_ = operation;
  fault_ = nullptr;
  text_.clear();
  for (Slot& slot : slots_) {
    slot.state = Cell::State::kAbsent;
    slot.pieces.clear();
  }
}

void RowBuilder::SetOperation(std::string_view text) {
  if (operation_ != Operation::kNone || !ParseOperation(text, &operation_)) {
    Fault(code::kRowValue, gate_->shape().operation,
          fmt::format("{} isn't add, modify or delete", Shown(text)));
  }
}

void RowBuilder::Open(size_t column) {
  Slot& slot = slots_[column];
  if (slot.state != Cell::State::kAbsent) {
    Fault(code::kRowUnknown, gate_->shape().columns[column].name, "stands twice");
  }
  slot.state =
      gate_->shape().columns[column].type == Type::kList ? Cell::State::kList : Cell::State::kEmpty;
}

void RowBuilder::SetEmpty(size_t column) {
  Open(column);
  slots_[column].state = Cell::State::kEmpty;
}

void RowBuilder::Add(size_t column, std::string_view text) {
  Slot& slot = slots_[column];
  const Column& declared = gate_->shape().columns[column];
  if (declared.type == Type::kList) {
    slot.state = Cell::State::kList;
  } else if (slot.state == Cell::State::kOne) {
    Fault(code::kRowUnknown, declared.name, "has more than one value");
  } else {
    slot.state = Cell::State::kOne;
  }
  slot.pieces.emplace_back(text_.size(), text.size());
  text_ += text;
}

void RowBuilder::Unknown(std::string_view name) {
  if (gate_->options().ignore_unknown) return;
  Fault(code::kRowUnknown, "", fmt::format("{} isn't declared", Shown(name)));
}

void RowBuilder::Fault(const char* code, std::string_view column, std::string reason) {
  if (fault_ != nullptr) return;
  fault_ = code;
  fault_column_ = column;
  fault_reason_ = std::move(reason);
}

void RowBuilder::End() {
  const bool delta = gate_->shape().mode == Mode::kDelta;
  if (fault_ == nullptr && delta && operation_ == Operation::kNone) {
    Fault(code::kRowMissing, gate_->shape().operation, "has no value");
  }
  if (fault_ != nullptr) return gate_->Reject(line_, fault_, fault_column_, fault_reason_);
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    cells_[i] = Cell{slot.state, {}, {}};
    if (slot.state == Cell::State::kOne) cells_[i].text = Piece(slot.pieces.front());
    if (slot.state != Cell::State::kList) continue;
    items_[i].clear();
    for (const auto& piece : slot.pieces) items_[i].push_back(Piece(piece));
    cells_[i].items = items_[i];
  }
  gate_->Accept(operation_, cells_, line_);
}

}  // namespace postern::jobs::internal
