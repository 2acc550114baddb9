// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/npy.hpp>

namespace funnel::fuzz::npy_target {
namespace {

template <class T>
void read_npy_of(const Input& input) {
    attempt([&] {
        check_round_trip(io::read_npy<T>(input.path), io::read_npy<T>,
                         [](const std::string& path, const Matrix<T>& a) { io::write_npy(path, a); });
    });
}

template <class T>
std::string npy_seed(std::size_t rows, std::size_t cols) {
    return saved([&](const std::string& path) { io::write_npy(path, counting_matrix<T>(rows, cols)); });
}

std::string replaced(std::string text, const std::string& old, const std::string& by) {
    return text.replace(text.find(old), old.size(), by);
}

const Registered npy({
    .name = "npy",
    .run =
        [](const Input& input) {
            read_npy_of<float>(input);
            read_npy_of<double>(input);
            read_npy_of<std::int32_t>(input);
            read_npy_of<std::uint8_t>(input);
        },
    .seeds =
        [] {
            const std::string floats = npy_seed<float>(3, 2);
            return std::vector{floats,
                               npy_seed<double>(2, 3),
                               npy_seed<std::int32_t>(1, 4),
                               npy_seed<std::uint8_t>(4, 1),
                               npy_seed<float>(0, 3),
                               replaced(floats, "<f4", ">f4"),
                               replaced(replaced(floats, "<f4", "<f2"), "(3, 2)", "(3, 4)"),
                               replaced(floats, "False", "True "),
                               replaced(floats, "(3, 2)", "(6,)  ")};
        },
    .words = {"'descr': ", "'fortran_order': ", "'shape': ", "True", "False", "<f4", ">f8", "<f2", "|u1", "<i4", "()",
              "18446744073709551615", "4294967296", "\x93NUMPY"},
});

}  // namespace
}  // namespace funnel::fuzz::npy_target
