// A transform: rows in, rows out.
//
//     struct operator_of_mine {
//         explicit operator_of_mine(weir::config &config);                     // or without an argument
//         static constexpr std::string_view keep[] = {"user"};                 // optional: columns that are carried over
//         void row(const in &row, weir::emitter<out> &to) const;               // for each row, with weir::reject("why"),
//         void batch(const weir::rows<in> &rows, weir::emitter<out> &to) const;    // or for all of a call
//     };
//     WEIR_TRANSFORM(operator_of_mine, in, out)
#pragma once

#include "config.hpp"
#include "emitter.hpp"
#include "rows.hpp"
#include "schema.hpp"

namespace weir {

// What the host calls, in terms of the operator's class.
template <class Operator, class In, class Out>
class transform {
    using shape = exports_weir_operator_transform_shape_t;
    using emitted = exports_weir_operator_transform_emitted_t;

  public:
    static bool configure(std::string_view config, fields input, shape &ret, wit_string_t &err) {
        weir::config opened(config);
        auto reads = resolve<In>(input);
        auto keeps = kept(input);
        if constexpr (std::is_constructible_v<Operator, weir::config &>) configured.emplace(opened);
        else configured.emplace();
        opened.close();
        if (current.has_failed(err)) return false;
        ret.reads = {true, handed_over<wit_list_u32_t>(reads)};
        ret.keeps = handed_over<wit_list_u32_t>(keeps);
        ret.adds = announced<Out, exports_weir_operator_transform_list_field_t>();
        return true;
    }

    static bool apply(std::uint64_t batch_time, weir_operator_rows_batch_t &input, emitted &ret, wit_string_t &err) {
        current.batch_time = batch_time;
        rows<In> read(input);
        emitter<Out> out;
        cut(input, out);
        run(read, out);
        out.check_order(read.size());
        if (out.is_same(read.size())) {
            ret.origin.tag = EXPORTS_WEIR_OPERATOR_TRANSFORM_ORIGIN_SAME;
        } else {
            ret.origin.tag = EXPORTS_WEIR_OPERATOR_TRANSFORM_ORIGIN_FROM;
            ret.origin.val.from = out.from().template take<wit_list_u32_t>();
        }
        ret.columns = out.template take_columns<exports_weir_operator_transform_list_column_t>();
        ret.rejects = current.take_rejects<exports_weir_operator_transform_list_reject_t>();
        weir_operator_rows_batch_free(&input);
        if (!current.has_failed(err)) return true;
        exports_weir_operator_transform_emitted_free(&ret);
        return false;
    }

  private:
    static std::vector<std::uint32_t> kept(fields input) {
        std::vector<std::uint32_t> indices;
        if constexpr (requires { Operator::keep; }) {
            for (std::string_view name : Operator::keep) indices.push_back(index_of(name, input, "keeps"));
        }
        return indices;
    }

    // Tells the builders of parts where what they are parts of lies.
    static void cut(const weir_operator_rows_batch_t &input, emitter<Out> &out) {
        for_columns<Out>([&](auto i) {
            constexpr auto column = std::get<i>(Out::columns);
            if constexpr (!column.part_of.empty()) {
                constexpr std::size_t place = place_of<In>(column.part_of);
                static_assert(place < width<In>, "a column has parts of a column that is not read");
                static_assert(data_type_of<type_at<Out, i>>() == data_type_of<type_at<In, place>>(),
                              "a column has parts of a column of another type");
                const auto &text = input.columns.ptr[place].values.val.utf8.data;
                std::get<i>(out.builders()).cut({true, place, {reinterpret_cast<const char *>(text.ptr), text.len}});
            }
        });
    }

    static void run(const rows<In> &read, emitter<Out> &out) {
        if constexpr (requires { configured->batch(read, out); }) {
            configured->batch(read, out);
        } else {
            for (std::uint32_t i = 0; i < read.size() && !current.failure; i++) {
                current.row = i;
                if (auto row = read[i]) configured->row(*row, out);
                else reject("column `", read.null_in(i), "` is null");
            }
        }
    }

    // Since `configure`.
    static inline std::optional<Operator> configured;
};

} // namespace weir

// Makes a class the component, whose rows are read as `In` and answered with as `Out`. Once, in one file.
#define WEIR_TRANSFORM(Operator, In, Out)                                                                                 \
    extern "C" bool exports_weir_operator_transform_configure(                                                            \
        wit_string_t *config, exports_weir_operator_transform_list_field_t *input,                                        \
        exports_weir_operator_transform_shape_t *ret, exports_weir_operator_transform_failure_t *err) {                   \
        std::string_view text(reinterpret_cast<const char *>(config->ptr), config->len);                                  \
        return weir::transform<Operator, In, Out>::configure(text, {input->ptr, input->len}, *ret, *err);                 \
    }                                                                                                                     \
    extern "C" bool exports_weir_operator_transform_apply(                                                                \
        std::uint64_t batch_time, exports_weir_operator_transform_batch_t *input,                                         \
        exports_weir_operator_transform_emitted_t *ret, exports_weir_operator_transform_failure_t *err) {                 \
        return weir::transform<Operator, In, Out>::apply(batch_time, *input, *ret, *err);                                 \
    }                                                                                                                     \
    static_assert(true)
