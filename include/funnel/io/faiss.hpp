// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix.hpp>
#include <funnel/io/byte_reader.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/graph_file.hpp>
#include <funnel/io/little_endian.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

enum class FaissMetric : std::uint8_t { inner_product, l2 };

/// IndexFlat of FAISS: the vectors.
struct FaissFlat {
    FaissMetric metric = FaissMetric::l2;
    Matrix<float> vectors;  ///< n x d; unchecked values
};

/// One list of an inverted file of FAISS.
struct FaissList {
    std::vector<std::int64_t> ids;
    std::vector<std::uint8_t> codes;  ///< ids.size() codes of code_bytes
};

/// IndexIVFFlat of FAISS, whose codes are the floats of the vectors, or IndexIVFPQ, also behind a LinearTransform.
struct FaissIVF {
    FaissMetric metric = FaissMetric::l2;
    FaissMetric centroid_metric = FaissMetric::l2;  ///< by which a search chooses lists
    Matrix<float> transform;         ///< of IndexPreTransform: d x d, times a vector before all else; else empty
    Matrix<float> centroids;         ///< lists x d; unchecked values
    std::vector<FaissList> lists;    ///< ids and codes of the vectors nearest to each centroid
    std::size_t size = 0;            ///< vectors in all lists
    std::size_t code_bytes = 0;      ///< per vector
    std::size_t sub_quantisers = 0;  ///< of IndexIVFPQ; 0: IndexIVFFlat
    std::size_t bits = 0;            ///< of IndexIVFPQ: per sub-quantiser
    bool codes_residuals = false;    ///< of IndexIVFPQ: codes are of vector - centroid
    Matrix<float> codewords;         ///< of IndexIVFPQ: sub_quantisers 2^bits x d / sub_quantisers
};

/// IndexHNSWFlat of FAISS. Labels are 0 .. n-1.
struct FaissHNSW {
    FaissMetric metric = FaissMetric::l2;
    GraphFile graph;
};

namespace detail {

/// Reads what the files of all kinds of indexes are made of.
class FaissParser {
public:
    FaissParser(std::span<const std::byte> bytes FUNNEL_LIFETIMEBOUND, std::string source)
        : file_(bytes, std::move(source)) {}

    struct Header {
        std::string kind;  // four characters
        std::size_t dimension = 0;
        std::size_t count = 0;
        FaissMetric metric = FaissMetric::l2;
    };

    [[nodiscard]] FaissFlat flat() {
        FaissFlat flat = flat_part();
        file_.expect_end();
        return flat;
    }

    [[nodiscard]] FaissIVF ivf() {
        Header head = header({"IwFl", "IwPQ", "IxPT"}, "an IndexIVFFlat, an IndexIVFPQ or an IndexPreTransform");
        FaissIVF ivf;
        if (head.kind == "IxPT") {
            ivf.transform = linear_transform(head.dimension);
            head = transformed(head);
        }
        ivf.metric = head.metric;
        const auto lists = file_.number<std::uint64_t>("number of lists");
        file_.number<std::uint64_t>("nprobe");
        const std::uint64_t quantiser_at = file_.position();
        FaissFlat quantiser = flat_part();
        if (quantiser.vectors.rows() != lists || quantiser.vectors.cols() != head.dimension) {
            file_.fail_at(quantiser_at, "coarse quantiser",
                          std::to_string(lists) + " x " + std::to_string(head.dimension),
                          std::to_string(quantiser.vectors.rows()) + " x " + std::to_string(quantiser.vectors.cols()));
        }
        ivf.centroid_metric = quantiser.metric;
        ivf.centroids = std::move(quantiser.vectors);
        direct_map();
        ivf.code_bytes = 4 * head.dimension;
        if (head.kind == "IwPQ") {
            ivf.codes_residuals = flag("by_residual");
            const auto code_bytes = file_.number<std::uint64_t>("bytes of a code");
            product_quantiser(ivf, head.dimension);
            expect(code_bytes == ivf.code_bytes, "bytes of a code", std::to_string(ivf.code_bytes), code_bytes);
        }
        inverted_lists(ivf, lists);
        expect(ivf.size == head.count, "ids in all lists", std::to_string(head.count), ivf.size);
        file_.expect_end();
        return ivf;
    }

    [[nodiscard]] FaissHNSW hnsw() {
        const Header head = header({"IHNf"}, "an IndexHNSWFlat");
        FaissHNSW index;
        index.metric = head.metric;
        const std::uint64_t graph_at = file_.position();
        graph(index.graph, head.count);
        const std::uint64_t storage_at = file_.position();
        FaissFlat storage = flat_part();
        if (storage.vectors.rows() != head.count || storage.vectors.cols() != head.dimension) {
            file_.fail_at(storage_at, "storage", std::to_string(head.count) + " x " + std::to_string(head.dimension),
                          std::to_string(storage.vectors.rows()) + " x " + std::to_string(storage.vectors.cols()));
        }
        index.graph.vectors = std::move(storage.vectors);
        file_.expect_end();
        check_graph(index.graph, file_, graph_at);
        return index;
    }

private:
    void expect(bool holds, std::string_view what, std::string_view expected, std::uint64_t found) const {
        if (!holds) {
            file_.fail(what, expected, std::to_string(found));
        }
    }

    [[nodiscard]] bool flag(std::string_view what) {
        const auto value = file_.number<std::uint8_t>(what);
        expect(value <= 1, what, "0 or 1", value);
        return value == 1;
    }

    template <Number T>
    [[nodiscard]] std::vector<T> vector(std::string_view what) {
        return file_.numbers<T>(file_.number<std::uint64_t>(what), what);
    }

    void skip_vector(std::uint64_t bytes_each, std::string_view what) {
        const auto count = file_.number<std::uint64_t>(what);
        file_.bytes(file_.product(count, bytes_each, what), what);
    }

    [[nodiscard]] Header header(std::initializer_list<std::string_view> kinds, std::string_view expected) {
        Header head;
        const std::uint64_t at = file_.position();
        head.kind = file_.text(4, "kind of index");
        if (std::find(kinds.begin(), kinds.end(), head.kind) == kinds.end()) {
            file_.fail_at(at, "kind of index", expected, "\"" + head.kind + "\"");
        }
        const auto dimension = file_.number<std::int32_t>("dimension");
        expect(dimension > 0, "dimension", "at least 1", static_cast<std::uint64_t>(dimension));
        head.dimension = static_cast<std::size_t>(dimension);
        const auto count = file_.number<std::int64_t>("number of vectors");
        expect(count >= 0 && count < std::int64_t{1} << 31, "number of vectors", "fewer than 2^31",
               static_cast<std::uint64_t>(count));
        head.count = static_cast<std::size_t>(count);
        file_.bytes(16, "unused");
        expect(flag("is_trained"), "is_trained", "1", 0);
        const auto metric = file_.number<std::int32_t>("metric");
        expect(metric == 0 || metric == 1, "metric", "0 (inner product) or 1 (L2)", static_cast<std::uint64_t>(metric));
        head.metric = metric == 0 ? FaissMetric::inner_product : FaissMetric::l2;
        return head;
    }

    [[nodiscard]] FaissFlat flat_part() {
        const Header head = header({"IxFI", "IxF2"}, "an IndexFlat for L2 or the inner product");
        const auto size = file_.number<std::uint64_t>("numbers of all vectors");
        const std::uint64_t needed = file_.product(head.count, head.dimension, "numbers of all vectors");
        expect(size == needed, "numbers of all vectors", std::to_string(needed), size);
        return {head.metric, matrix(head.count, head.dimension, "vectors")};
    }

    [[nodiscard]] Matrix<float> matrix(std::size_t rows, std::size_t cols, std::string_view what) {
        const auto bytes = file_.bytes(file_.product(file_.product(rows, cols, what), 4, what), what);
        Matrix<float> out(rows, rows == 0 ? 0 : cols);
        for (std::size_t i = 0; i < rows; ++i) {
            load_numbers<float>(bytes.subspan(4 * i * cols, 4 * cols), out.row(i));
        }
        return out;
    }

    // The transforms of an IndexPreTransform: one, from d to d dimensions and without a bias.
    [[nodiscard]] Matrix<float> linear_transform(std::size_t d) {
        const auto count = file_.number<std::int32_t>("number of transforms");
        expect(count == 1, "number of transforms", "1", static_cast<std::uint64_t>(count));
        const std::uint64_t at = file_.position();
        const std::string kind = file_.text(4, "kind of transform");
        if (kind != "LTra" && kind != "rrot") {
            file_.fail_at(at, "kind of transform", R"("LTra" (linear, OPQ) or "rrot" (random rotation))",
                          "\"" + kind + "\"");
        }
        expect(!flag("bias of the transform"), "bias of the transform", "none", 1);
        const auto size = file_.number<std::uint64_t>("numbers of the transform");
        const std::uint64_t needed = file_.product(d, d, "numbers of the transform");
        expect(size == needed, "numbers of the transform", std::to_string(needed), size);
        Matrix<float> transform = matrix(d, d, "numbers of the transform");
        skip_vector(4, "unused bias of the transform");
        for (const char* what : {"input dimension of the transform", "output dimension of the transform"}) {
            const auto dimension = file_.number<std::int32_t>(what);
            expect(static_cast<std::uint64_t>(dimension) == d, what, std::to_string(d),
                   static_cast<std::uint64_t>(dimension));
        }
        expect(flag("is_trained of the transform"), "is_trained of the transform", "1", 0);
        return transform;
    }

    // The header of the index behind a transform, which must be of the same vectors.
    [[nodiscard]] Header transformed(const Header& outer) {
        const std::uint64_t at = file_.position();
        const Header inner = header({"IwPQ"}, "an IndexIVFPQ");
        const auto text = [](const Header& head) {
            return std::to_string(head.count) + " vectors of " + std::to_string(head.dimension) + " dimensions for " +
                   (head.metric == FaissMetric::l2 ? "L2" : "inner products");
        };
        if (text(inner) != text(outer)) {
            file_.fail_at(at, "index behind the transform", text(outer), text(inner));
        }
        return inner;
    }

    // A table from ids to places in the lists, which funnel makes anew.
    void direct_map() {
        const auto kind = file_.number<std::uint8_t>("kind of direct map");
        expect(kind <= 2, "kind of direct map", "0 to 2", kind);
        skip_vector(8, "direct map");
        if (kind == 2) {
            skip_vector(16, "direct map");
        }
    }

    void product_quantiser(FaissIVF& ivf, std::size_t dimension) {
        const auto d = file_.number<std::uint64_t>("dimension of the product quantiser");
        expect(d == dimension, "dimension of the product quantiser", std::to_string(dimension), d);
        const auto parts = file_.number<std::uint64_t>("number of sub-quantisers");
        expect(parts >= 1 && parts <= d && d % parts == 0, "number of sub-quantisers",
               "a divisor of " + std::to_string(d), parts);
        const auto bits = file_.number<std::uint64_t>("bits of a sub-quantiser");
        expect(bits == 4 || bits == 8, "bits of a sub-quantiser", "4 or 8", bits);
        ivf.sub_quantisers = static_cast<std::size_t>(parts);
        ivf.bits = static_cast<std::size_t>(bits);
        ivf.code_bytes = (ivf.sub_quantisers * ivf.bits + 7) / 8;
        const std::uint64_t codewords = d << bits;
        const auto size = file_.number<std::uint64_t>("codewords");
        expect(size == codewords, "codewords", std::to_string(codewords), size);
        ivf.codewords = matrix(ivf.sub_quantisers << ivf.bits, dimension / ivf.sub_quantisers, "codewords");
    }

    void inverted_lists(FaissIVF& ivf, std::uint64_t lists) {
        const std::uint64_t at = file_.position();
        const std::string kind = file_.text(4, "kind of inverted lists");
        if (kind != "ilar") {
            file_.fail_at(at, "kind of inverted lists", R"("ilar" (in memory))", "\"" + kind + "\"");
        }
        const auto count = file_.number<std::uint64_t>("number of lists");
        expect(count == lists, "number of lists", std::to_string(lists), count);
        const auto code_bytes = file_.number<std::uint64_t>("bytes of a code");
        expect(code_bytes == ivf.code_bytes, "bytes of a code", std::to_string(ivf.code_bytes), code_bytes);
        const std::vector<std::uint64_t> sizes = list_sizes(lists);
        for (const std::uint64_t size : sizes) {
            FaissList list;
            list.codes = file_.numbers<std::uint8_t>(file_.product(size, code_bytes, "codes"), "codes");
            list.ids = file_.numbers<std::int64_t>(size, "ids");
            ivf.size += list.ids.size();
            ivf.lists.push_back(std::move(list));
        }
    }

    [[nodiscard]] std::vector<std::uint64_t> list_sizes(std::uint64_t lists) {
        const std::string form = file_.text(4, "form of the sizes");
        auto stored = vector<std::uint64_t>("sizes of the lists");
        if (form == "full") {
            expect(stored.size() == lists, "sizes of the lists", std::to_string(lists), stored.size());
            return stored;
        }
        if (form != "sprs") {
            file_.fail("form of the sizes", R"("full" or "sprs")", "\"" + form + "\"");
        }
        // Pairs of a list and its size. The coarse quantiser holds as many rows, so `lists` is no larger than the file.
        std::vector<std::uint64_t> sizes(lists, 0);
        expect(stored.size() % 2 == 0, "sizes of the lists", "pairs", stored.size());
        for (std::size_t i = 0; i + 1 < stored.size(); i += 2) {
            expect(stored[i] < lists && (i == 0 || stored[i] > stored[i - 2]), "sizes of the lists",
                   "rising numbers of lists", stored[i]);
            sizes[stored[i]] = stored[i + 1];
        }
        return sizes;
    }

    void graph(GraphFile& graph, std::size_t n) {
        skip_vector(8, "probabilities of levels");
        const auto begins = vector<std::int32_t>("links per level");
        expect(begins.size() >= 3 && begins[0] == 0 && begins[1] >= 4 && begins[1] <= 8192 && begins[1] % 2 == 0,
               "links per level", "0, 2 M, 3 M, ...", begins.size() < 2 ? 0 : static_cast<std::uint64_t>(begins[1]));
        graph.M = static_cast<std::size_t>(begins[1]) / 2;
        const std::size_t levels = std::min(begins.size() - 2, highest_graph_level + 1);
        const auto begin_of = [&](std::size_t level) { return level == 0 ? 0 : (level + 1) * graph.M; };
        for (std::size_t level = 0; level < begins.size(); ++level) {
            expect(static_cast<std::uint64_t>(begins[level]) == begin_of(level), "links per level",
                   std::to_string(begin_of(level)), static_cast<std::uint64_t>(begins[level]));
        }
        const auto heights = vector<std::int32_t>("levels");
        expect(heights.size() == n, "levels", std::to_string(n), heights.size());
        const auto offsets = vector<std::uint64_t>("offsets of links");
        expect(offsets.size() == n + 1, "offsets of links", std::to_string(n + 1), offsets.size());
        const auto links = vector<std::int32_t>("links");
        const auto entry = file_.number<std::int32_t>("entry point");
        const auto top = file_.number<std::int32_t>("highest level");
        const auto ef_construction = file_.number<std::int32_t>("efConstruction");
        expect(ef_construction >= 1, "efConstruction", "at least 1", static_cast<std::uint64_t>(ef_construction));
        file_.number<std::int32_t>("efSearch");
        file_.number<std::int32_t>("unused");
        graph.ef_construction = static_cast<std::size_t>(ef_construction);
        graph.list_begin.push_back(0);
        for (std::size_t node = 0; node < n; ++node) {
            expect(heights[node] >= 1 && static_cast<std::size_t>(heights[node]) <= levels,
                   "level of node " + std::to_string(node), "1 to " + std::to_string(levels),
                   static_cast<std::uint64_t>(heights[node]));
            const auto height = static_cast<std::size_t>(heights[node]);
            const std::uint64_t end = begin_of(height);
            expect(offsets[node] <= links.size() && end <= links.size() - offsets[node],
                   "offset of node " + std::to_string(node), std::to_string(end) + " links", offsets[node]);
            graph.labels.push_back(node);
            graph.is_removed.push_back(0);
            graph.levels.push_back(static_cast<std::uint8_t>(height - 1));
            graph.first_list.push_back(graph.list_begin.size() - 1);
            for (std::size_t level = 0; level < height; ++level) {
                for (std::uint64_t i = begin_of(level); i < begin_of(level + 1); ++i) {
                    const std::int32_t link = links[offsets[node] + i];
                    if (link < 0) {
                        break;  // unused slots are at the end
                    }
                    graph.links.push_back(static_cast<std::uint32_t>(link));
                }
                graph.list_begin.push_back(graph.links.size());
            }
        }
        if (n > 0) {
            expect(entry >= 0 && static_cast<std::size_t>(entry) < n, "entry point", "an id below " + std::to_string(n),
                   static_cast<std::uint64_t>(entry));
            graph.entry = static_cast<std::uint32_t>(entry);
            expect(top == std::int32_t{graph.levels[graph.entry]}, "highest level",
                   std::to_string(graph.levels[graph.entry]), static_cast<std::uint64_t>(top));
        }
    }

    ByteReader file_;
};

}  // namespace detail

/// Read what FAISS (write_index, versions 1.5 to 1.15) saved on a little-endian machine: IndexFlat for L2 or the inner
/// product; IndexIVFFlat or IndexIVFPQ (4 or 8 bits) with such a coarse quantiser and lists in memory; an IndexIVFPQ in
/// an IndexPreTransform whose only transform is linear (OPQMatrix), keeps the dimension and has no bias; IndexHNSWFlat.
/// ann/import.hpp and ann/import_ivfpq.hpp make indexes of the results.
///
/// Errors    IOError if the file cannot be read;  CorruptData, with the byte, if it is damaged or of another kind
/// Source    FAISS 1.15, impl/index_write.cpp
[[nodiscard]] inline FaissFlat read_faiss_flat(const std::string& path) {
    const std::vector<std::byte> bytes = read_file(path);
    return detail::FaissParser(bytes, path).flat();
}
[[nodiscard]] inline FaissIVF read_faiss_ivf(const std::string& path) {
    const std::vector<std::byte> bytes = read_file(path);
    return detail::FaissParser(bytes, path).ivf();
}
[[nodiscard]] inline FaissHNSW read_faiss_hnsw(const std::string& path) {
    const std::vector<std::byte> bytes = read_file(path);
    return detail::FaissParser(bytes, path).hnsw();
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
