// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/quantise/product.hpp>

#include <vector>

namespace funnel::fuzz::product_target {
namespace {

using Quantiser = quantise::ProductQuantiser<4, 2, 4>;

Matrix<float> rows() {
    Matrix<float> matrix(20, 4);
    for (std::size_t i = 0; i < 20; ++i) {
        for (std::size_t j = 0; j < 4; ++j) {
            matrix(i, j) = static_cast<float>((3 * i + j) % 7);
        }
    }
    return matrix;
}

const Registered product({
    .name = "product",
    .run =
        [](const Input& input) {
            load_and_use<Quantiser>(input, [](const Quantiser& quantiser) {
                const std::vector<std::uint8_t> codes = quantiser.encode(rows());
                check(codes.size() == 40, "a code per part");
                std::vector<float> decoded(4);
                for (std::size_t i = 0; i < codes.size(); i += 2) {
                    check(codes[i] < 16 && codes[i + 1] < 16, "codes have 4 bits");
                    quantiser.decode(std::span(codes).subspan(i, 2), decoded);
                    check_finite(decoded);
                }
            });
        },
    .seeds = [] { return std::vector{saved([](const std::string& path) { Quantiser::train(rows()).save(path); })}; },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::product_target
