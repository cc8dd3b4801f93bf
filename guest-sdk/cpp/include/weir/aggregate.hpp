// An aggregate: the rows of a key to one row.
//
// The host groups rows by key and moves them; the operator folds what it is given, in several steps, so that rows can be
// folded before they cross the network, and windows can be put together from batches:
//
//     rows --create--> accumulators --merge--> one accumulator --finish--> output
//                                    retract: takes an old batch out of a window's accumulator again
//
//     struct operator_of_mine {
//         explicit operator_of_mine(weir::config &config);            // or without an argument
//         std::optional<total> create(const in &row) const;           // or `return weir::reject("why");`
//         void merge(total &whole, const total &part) const;          // must be associative
//         out finish(const total &whole) const;
//         bool retract(total &whole, const total &part) const;        // optional: its inverse; true: nothing remains
//     };
//     WEIR_AGGREGATE(operator_of_mine, in, total, out)
//
// With `retract`, sliding windows cost what changes, not what they span. Where nothing remains, as if no row had ever been
// added, the host drops the key.
#pragma once

#include "config.hpp"
#include "emitter.hpp"
#include "rows.hpp"
#include "schema.hpp"

namespace weir {

// What the host calls, in terms of the operator's class.
template <class Operator, class In, class Total, class Out>
class aggregate {
    using shape = exports_weir_operator_aggregate_shape_t;
    using created = exports_weir_operator_aggregate_created_t;
    using rest = exports_weir_operator_aggregate_tuple2_batch_list_u8_t;
    using batch = weir_operator_rows_batch_t;

    static constexpr bool retracts = requires(const Operator &o, Total &whole, const Total &part) {
        { o.retract(whole, part) } -> std::same_as<bool>;
    };

  public:
    static bool configure(std::string_view config, fields input, shape &ret, wit_string_t &err) {
        weir::config opened(config);
        auto reads = resolve<In>(input);
        if constexpr (std::is_constructible_v<Operator, weir::config &>) configured.emplace(opened);
        else configured.emplace();
        opened.close();
        if (current.has_failed(err)) return false;
        using list = exports_weir_operator_aggregate_list_field_t;
        ret.reads = {true, handed_over<wit_list_u32_t>(reads)};
        ret.accumulator = announced<Total, list>();
        ret.output = announced<Out, list>();
        ret.retracts = retracts;
        return true;
    }

    static bool create(wit_list_u32_t &list, batch &input, created &ret, wit_string_t &err) {
        std::span<const std::uint32_t> groups(list.ptr, list.len);
        rows<In> read(input);
        emitter<Total> out;
        for (std::size_t group = 0; group + 1 < groups.size(); group++) {
            std::optional<Total> whole;
            for (std::uint32_t row = groups[group]; row < groups[group + 1]; row++) add(read, row, whole);
            // Nobody reads the accumulator of a group whose rows are all rejected, but there must be one.
            out.emit(whole.value_or(Total{}));
        }
        ret.accumulators = taken(out);
        ret.rejects = current.take_rejects<exports_weir_operator_aggregate_list_reject_t>();
        weir_operator_rows_batch_free(&input);
        wit_list_u32_free(&list);
        if (!current.has_failed(err)) return true;
        exports_weir_operator_aggregate_created_free(&ret);
        return false;
    }

    static bool merge(wit_list_u32_t &list, batch &accumulators, batch &ret, wit_string_t &err) {
        std::span<const std::uint32_t> groups(list.ptr, list.len);
        rows<Total> parts(accumulators);
        emitter<Total> out;
        for (std::size_t group = 0; group + 1 < groups.size(); group++) {
            Total whole = part(parts, groups[group]);
            for (std::uint32_t row = groups[group] + 1; row < groups[group + 1]; row++) {
                configured->merge(whole, part(parts, row));
            }
            out.emit(whole);
        }
        wit_list_u32_free(&list);
        return answered(out, accumulators, ret, err);
    }

    static bool retract(batch &total, batch &parts, rest &ret, wit_string_t &err) {
        rows<Total> wholes(total), retracted(parts);
        emitter<Total> out;
        bits nothing;
        for (std::uint32_t row = 0; row < wholes.size(); row++) {
            Total whole = part(wholes, row);
            bool is_nothing = false;
            if constexpr (retracts) is_nothing = configured->retract(whole, part(retracted, row));
            nothing.push(is_nothing);
            out.emit(whole);
        }
        ret.f0 = taken(out);
        auto bitmap = nothing.take();
        ret.f1 = {bitmap.ptr, bitmap.len};
        weir_operator_rows_batch_free(&total);
        weir_operator_rows_batch_free(&parts);
        if (!current.has_failed(err)) return true;
        exports_weir_operator_aggregate_tuple2_batch_list_u8_free(&ret);
        return false;
    }

    static bool finish(batch &accumulators, batch &ret, wit_string_t &err) {
        rows<Total> wholes(accumulators);
        emitter<Out> out;
        for (std::uint32_t row = 0; row < wholes.size(); row++) out.emit(configured->finish(part(wholes, row)));
        return answered(out, accumulators, ret, err);
    }

  private:
    // Adds a row to a group's accumulator, or rejects it.
    static void add(const rows<In> &read, std::uint32_t row, std::optional<Total> &whole) {
        current.row = row;
        auto found = read[row];
        if (!found) {
            reject("column `", read.null_in(row), "` is null");
            return;
        }
        std::optional<Total> part = configured->create(*found);
        if (!part) return;
        if (whole) configured->merge(*whole, *part);
        else whole = part;
    }

    // An accumulator, which has no nulls but where it says so.
    static Total part(const rows<Total> &parts, std::uint32_t row) { return parts[row].value_or(Total{}); }

    template <class Row>
    static batch taken(emitter<Row> &out) {
        auto rows = static_cast<std::uint32_t>(out.from().size());
        return {rows, out.template take_columns<weir_operator_rows_list_column_t>()};
    }

    template <class Row>
    static bool answered(emitter<Row> &out, batch &input, batch &ret, wit_string_t &err) {
        // Text of the input may be in the answer, which is a copy from here on.
        ret = taken(out);
        weir_operator_rows_batch_free(&input);
        if (!current.has_failed(err)) return true;
        weir_operator_rows_batch_free(&ret);
        return false;
    }

    // Since `configure`.
    static inline std::optional<Operator> configured;
};

} // namespace weir

// Makes a class the component, whose rows are read as `In`, folded into `Total` and answered with as `Out`. Once, in one
// file.
#define WEIR_AGGREGATE(Operator, In, Total, Out)                                                                          \
    using weir_exported = weir::aggregate<Operator, In, Total, Out>;                                                      \
    extern "C" bool exports_weir_operator_aggregate_configure(                                                            \
        wit_string_t *config, exports_weir_operator_aggregate_list_field_t *input,                                        \
        exports_weir_operator_aggregate_shape_t *ret, exports_weir_operator_aggregate_failure_t *err) {                   \
        std::string_view text(reinterpret_cast<const char *>(config->ptr), config->len);                                  \
        return weir_exported::configure(text, {input->ptr, input->len}, *ret, *err);                                      \
    }                                                                                                                     \
    extern "C" bool exports_weir_operator_aggregate_create(                                                               \
        wit_list_u32_t *groups, exports_weir_operator_aggregate_batch_t *input,                                           \
        exports_weir_operator_aggregate_created_t *ret, exports_weir_operator_aggregate_failure_t *err) {                 \
        return weir_exported::create(*groups, *input, *ret, *err);                                                        \
    }                                                                                                                     \
    extern "C" bool exports_weir_operator_aggregate_merge(                                                                \
        wit_list_u32_t *groups, exports_weir_operator_aggregate_batch_t *accumulators,                                    \
        exports_weir_operator_aggregate_batch_t *ret, exports_weir_operator_aggregate_failure_t *err) {                   \
        return weir_exported::merge(*groups, *accumulators, *ret, *err);                                                  \
    }                                                                                                                     \
    extern "C" bool exports_weir_operator_aggregate_retract(                                                              \
        exports_weir_operator_aggregate_batch_t *total, exports_weir_operator_aggregate_batch_t *part,                    \
        exports_weir_operator_aggregate_tuple2_batch_list_u8_t *ret, exports_weir_operator_aggregate_failure_t *err) {    \
        return weir_exported::retract(*total, *part, *ret, *err);                                                         \
    }                                                                                                                     \
    extern "C" bool exports_weir_operator_aggregate_finish(                                                               \
        exports_weir_operator_aggregate_batch_t *accumulators, exports_weir_operator_aggregate_batch_t *ret,              \
        exports_weir_operator_aggregate_failure_t *err) {                                                                 \
        return weir_exported::finish(*accumulators, *ret, *err);                                                          \
    }                                                                                                                     \
    static_assert(true)
