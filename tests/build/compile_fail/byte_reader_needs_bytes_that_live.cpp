// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: deleted
#include <funnel/io/byte_reader.hpp>

#include <cstddef>
#include <vector>

int main() {
#ifdef FUNNEL_EXPECT_FAILURE
    const funnel::io::ByteReader reader(std::vector<std::byte>(4), "memory");
#else
    const std::vector<std::byte> bytes(4);
    const funnel::io::ByteReader reader(bytes, "memory");
#endif
    return static_cast<int>(reader.remaining());
}
