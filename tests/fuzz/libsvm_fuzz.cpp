// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/data/libsvm.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace funnel::fuzz::libsvm_target {
namespace {

void check_examples(const data::LabelledExamples& examples) {
    check(examples.size() > 0, "a file that was read has examples");
    check(examples.queries.empty() || examples.queries.size() == examples.size(), "all examples have a query, or none");
    check(examples.ends.size() == examples.size(), "each example has an end");
    check(examples.ends.back() == examples.features.size(), "the last example ends with the features");
    std::size_t begin = 0;
    for (const std::size_t end : examples.ends) {
        check(begin <= end, "ends ascend");
        begin = end;
    }
    for (const float label : examples.labels) {
        check(math::is_finite(label), "labels are finite");
    }
    for (const data::SparseFeature& feature : examples.features) {
        check(math::is_finite(feature.value), "values are finite");
    }
}

const Registered libsvm({
    .name = "libsvm",
    .run =
        [](const Input& input) {
            attempt([&] { check_examples(data::read_libsvm(input.path)); });
            attempt([&] { check_examples(data::read_libffm(input.path)); });
        },
    .seeds =
        [] {
            return std::vector<std::string>{"# x\n+1 qid:7 1:0.5 3:-2e1 # good\n0 qid:8\n", "1 1:1\n-1 2:2\r\n",
                                            "1 0:9:1 2:4:0.25\n0 1:1:1"};
        },
    .words = {"qid:", ":", "#", "\t", "\r\n", "1e38", "nan", "4294967295:"},
});

}  // namespace
}  // namespace funnel::fuzz::libsvm_target
