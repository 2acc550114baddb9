// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

// What a structure S has, so that Index<S> is an index:
//
//     S::build(vectors, options, executor)   the structure of these vectors; checks the options
//     find(query, vectors, options, eligible, share, scratch, out)
//                                            some of the nearest eligible vectors, best first; if it returns fewer
//                                            than out has room for, the shell scans
//     scan(query, vectors, eligible, scratch, out)
//                                            the nearest eligible vectors, by scoring all of them
//     prefers_scan(options, share, cost)     whether a scan costs less than find, if this share is eligible and the
//                                            scan costs as much per vector as reading this many vectors
//     reserve(scratch, options, excludes_any)  memory for find
//     append(vectors)                        vectors.last() is new; on failure the structure has not changed
//     replace(id, vector, vectors)           gives an id, which may have been removed, this prepared vector. It calls
//                                            vectors.set(id, vector) when nothing can fail any more; on failure nothing
//                                            has changed
//     S::accepts(options), S::reject(options, function)  search options that are out of range
//     write(file), S::read(file, vectors), memory_bytes(), S::memory_estimate(n, dimension, options)
//     S::Kernels                             its backend
//     S::Scratch                             if there is find: with a member SearchStats stats, in which find counts
//
// and, if it is worth it:
//
//     remove(id)                             forgets a vector that has just been removed; noexcept
//     own()                                  copies what is mapped from a file; called before append and replace
//     S::scans_codes                         true if scan reads int8 codes
//     S::keeps_rows(options)                 false if the structure needs no vectors of floats
//     find_batch(queries, vectors, options, eligible, share, scratch, results)
//                                            find (of an exact structure: scan) for up to batch_grain queries at once;
//                                            results[i] comes with its full size and is cut to the hits

/// The names of the functions of an index, for errors: "Flat::build", ...
struct IndexNames {
    const char* build;
    const char* search;
    const char* search_batch;
    const char* add;
    const char* remove;
    const char* replace;
};

/// Whether an index keeps the vectors of floats beside its structure. They cost 4 bytes per dimension, and are needed
/// to score exactly. A structure that can do without has keeps_rows(options).
template <class Structure>
[[nodiscard]] bool keeps_rows(const typename Structure::BuildOptions& options) noexcept {
    if constexpr (requires { Structure::keeps_rows(options); }) {
        return Structure::keeps_rows(options);
    } else {
        return true;
    }
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
