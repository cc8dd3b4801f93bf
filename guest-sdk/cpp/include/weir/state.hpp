// Keyed state across batches: a key's state and its rows of a batch, to its next state and output rows.
//
//     struct operator_of_mine {
//         static constexpr std::uint32_t version = 1;     // optional: raised whenever the state's columns or meaning change
//         explicit operator_of_mine(weir::config &config);    // or without an argument
//         weir::next<kept> update(const key &key, const std::optional<kept> &previous, weir::group<in> &rows,
//                                 weir::turn<out> &turn) const;
//     };
//     WEIR_STATE(operator_of_mine, key, in, kept, out)
//
// What is not read of the key or the row can be weir::none.
#pragma once

#include "config.hpp"
#include "emitter.hpp"
#include "rows.hpp"
#include "schema.hpp"

namespace weir {

// A row without columns.
struct none {
    static constexpr std::tuple<> columns{};
};

// Why a key is in a call.
enum class cause : std::uint8_t {
    // It has rows in this batch.
    rows,
    // It had none for the idle timeout; this is its last call: whatever the answer, the key is forgotten.
    idle,
    // The timer that it asked for is due. It may have rows, too.
    timer,
    // The operator is called with every known key in every batch.
    all,
};

// What becomes of a key after the call: `weir::keep(state)`, `weir::remove` or `weir::unchanged`.
template <class Kept>
struct next {
    exports_weir_operator_state_fate_t fate;
    Kept kept = {};
};

template <exports_weir_operator_state_fate_t Fate>
struct fate {
    // Implicitly, since there is no state to name.
    template <class Kept>
    operator next<Kept>() const {
        return {Fate};
    }
};

// The key's next state.
template <class Kept>
next<Kept> keep(const Kept &kept) {
    return {EXPORTS_WEIR_OPERATOR_STATE_FATE_KEEP, kept};
}
// The key is forgotten.
inline constexpr fate<EXPORTS_WEIR_OPERATOR_STATE_FATE_REMOVE> remove;
// State and timer stay as they are, which costs the host nothing.
inline constexpr fate<EXPORTS_WEIR_OPERATOR_STATE_FATE_UNCHANGED> unchanged;

// The rows of a key, for a range-for. One with a null in a member that is no optional is rejected, and left out; in the loop,
// `weir::reject("why")` rejects the row at hand.
template <class Row>
class group {
  public:
    group(const rows<Row> &all, std::uint32_t first, std::uint32_t end) : all_(all), first_(first), end_(end) {}

    class iterator {
      public:
        iterator(const group &group, std::uint32_t at) : group_(group), at_(at) { find(); }
        const Row &operator*() const { return *row_; }
        bool operator!=(const iterator &other) const { return at_ != other.at_; }
        iterator &operator++() {
            at_++;
            find();
            return *this;
        }

      private:
        // The next row that is whole.
        void find() {
            for (; at_ != group_.end_; at_++) {
                current.row = at_;
                row_ = group_.all_[at_];
                if (row_) return;
                reject("column `", group_.all_.null_in(at_), "` is null");
            }
        }

        const group &group_;
        std::uint32_t at_;
        std::optional<Row> row_;
    };

    iterator begin() const { return {*this, first_}; }
    iterator end() const { return {*this, end_}; }
    std::uint32_t size() const { return end_ - first_; }

  private:
    const rows<Row> &all_;
    std::uint32_t first_;
    std::uint32_t end_;
};

// The answer for a key, beside its next state.
template <class Out>
class turn {
  public:
    turn(emitter<Out> &out, std::uint32_t key, weir::cause cause) : out_(out), key_(key), cause_(cause) {}

    weir::cause cause() const { return cause_; }

    // Answers with a row of this key, before which the host puts it.
    void emit(const Out &row) { out_.emit_from(key_, row); }

    // Wakes the key at this batch time, in milliseconds since the Unix epoch.
    void wake(std::uint64_t at) { timer_ = at; }

    // For the glue.
    std::uint64_t timer() const { return timer_; }

  private:
    emitter<Out> &out_;
    std::uint32_t key_;
    weir::cause cause_;
    std::uint64_t timer_ = 0;
};

// What the host calls, in terms of the operator's class.
template <class Operator, class Key, class In, class Kept, class Out>
class state {
    using shape = exports_weir_operator_state_shape_t;
    using touched = exports_weir_operator_state_touched_t;
    using updated = exports_weir_operator_state_updated_t;

  public:
    static bool configure(std::string_view config, fields keys, fields input, shape &ret, wit_string_t &err) {
        weir::config opened(config);
        auto reads = resolve<In>(input);
        of_key = resolve<Key>(keys, "key");
        if constexpr (std::is_constructible_v<Operator, weir::config &>) configured.emplace(opened);
        else configured.emplace();
        opened.close();
        if (current.has_failed(err)) return false;
        using list = exports_weir_operator_state_list_field_t;
        ret.reads = {true, handed_over<wit_list_u32_t>(reads)};
        ret.state = announced<Kept, list>();
        ret.version = 1;
        if constexpr (requires { Operator::version; }) ret.version = Operator::version;
        ret.output = announced<Out, list>();
        return true;
    }

    static bool update(std::uint64_t batch_time, touched &all, updated &ret, wit_string_t &err) {
        current.batch_time = batch_time;
        rows<Key> keys(all.keys, of_key);
        rows<In> input(all.input);
        rows<Kept> previous(all.previous);
        emitter<Kept> kept;
        emitter<Out> out;
        growing<exports_weir_operator_state_fate_t> fates;
        growing<std::uint64_t> timers;
        for (std::uint32_t i = 0; i < keys.size(); i++) {
            auto key = keys[i];
            if (!key) fail("a key's column `", keys.null_in(i), "` is null, but is no optional");
            if (current.failure) break;
            auto before = bit_at(all.present.ptr, i) ? previous[i] : std::nullopt;
            group<In> group(input, all.groups.ptr[i], all.groups.ptr[i + 1]);
            turn<Out> turn(out, i, static_cast<cause>(all.causes.ptr[i]));
            next<Kept> next = configured->update(*key, before, group, turn);
            kept.emit_from(i, next.kept);
            fates.push(next.fate);
            timers.push(turn.timer());
        }
        ret.fates = fates.take<exports_weir_operator_state_list_fate_t>();
        ret.timers = timers.take<wit_list_u64_t>();
        ret.next = taken(kept);
        ret.output = taken(out);
        ret.output_from = out.from().template take<wit_list_u32_t>();
        ret.rejects = current.take_rejects<exports_weir_operator_state_list_reject_t>();
        exports_weir_operator_state_touched_free(&all);
        if (!current.has_failed(err)) return true;
        exports_weir_operator_state_updated_free(&ret);
        return false;
    }

  private:
    template <class Row>
    static weir_operator_rows_batch_t taken(emitter<Row> &out) {
        auto rows = static_cast<std::uint32_t>(out.from().size());
        return {rows, out.template take_columns<weir_operator_rows_list_column_t>()};
    }

    // Since `configure`.
    static inline std::optional<Operator> configured;
    // The key's columns all cross; these are read.
    static inline std::array<std::uint32_t, width<Key>> of_key;
};

} // namespace weir

// Makes a class the component: of whose key `Key` is read, whose rows are read as `In`, whose state is `Kept`, and which answers
// with `Out`. Once, in one file.
#define WEIR_STATE(Operator, Key, In, Kept, Out)                                                                      \
    using weir_exported = weir::state<Operator, Key, In, Kept, Out>;                                                  \
    extern "C" bool exports_weir_operator_state_configure(                                                            \
        wit_string_t *config, exports_weir_operator_state_list_field_t *keys,                                         \
        exports_weir_operator_state_list_field_t *input, exports_weir_operator_state_shape_t *ret,                    \
        exports_weir_operator_state_failure_t *err) {                                                                 \
        std::string_view text(reinterpret_cast<const char *>(config->ptr), config->len);                              \
        return weir_exported::configure(text, {keys->ptr, keys->len}, {input->ptr, input->len}, *ret, *err);          \
    }                                                                                                                 \
    extern "C" bool exports_weir_operator_state_update(                                                               \
        std::uint64_t batch_time, exports_weir_operator_state_touched_t *touched,                                     \
        exports_weir_operator_state_updated_t *ret, exports_weir_operator_state_failure_t *err) {                     \
        return weir_exported::update(batch_time, *touched, *ret, *err);                                               \
    }                                                                                                                 \
    static_assert(true)
