// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: constraint
#include <funnel/ann/import_ivfpq.hpp>

using namespace funnel::ann;

#ifdef FUNNEL_EXPECT_FAILURE
using Wanted = IVFPQIndex<64, 8, Cosine>;
#else
using Wanted = IVFPQIndex<64, 8, InnerProduct>;
#endif

int main() {
    return static_cast<int>(import_faiss_ivfpq<Wanted>("ivfpq.index").index.size());
}
