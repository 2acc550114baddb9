// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/io/json.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_validation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// Uses the number, or the array of numbers, that is in a string of JSON, as XGBoost writes its parameters.
template <class Use>
[[nodiscard]] auto in_xgboost_string(const io::JSONValue& value, const Use& use) {
    const std::string text = value.string();
    const auto parse = [&] {
        const io::JSON json = io::JSON::parse(text, "string");
        return use(json.root());
    };
    const bool is_number = text.find_first_not_of("0123456789+-.eE[], ") == std::string::npos;
    if (!is_number || funnel::detail::exception_of([&] { static_cast<void>(parse()); })) {
        value.fail("a number in a string");
    }
    return parse();
}

template <class T>
[[nodiscard]] T xgboost_parameter(const io::JSONValue& object, std::string_view key, std::optional<T> fallback = {}) {
    if (fallback && !object.find(key)) {
        return *fallback;
    }
    return in_xgboost_string(object[key], [](const io::JSONValue& number) { return number.number<T>(); });
}

/// A tree as XGBoost stores it: one element per node in each array.
struct XGBoostNodes {
    std::vector<std::int32_t> left;
    std::vector<std::int32_t> right;
    std::vector<std::int32_t> parents;
    std::vector<std::uint32_t> features;
    std::vector<float> conditions;  ///< of leaves: their value
    std::vector<std::uint8_t> default_left;
    std::vector<std::uint8_t> is_categorical;
    std::vector<double> covers;                              ///< or empty
    std::vector<float> leaf_vectors;                         ///< of trees with one value per leaf and output
    bool has_vectors_of_leaves = false;                      ///< one vector per leaf (since 3.2), otherwise per node
    std::vector<std::optional<std::uint32_t>> category_set;  ///< of each node, or empty
};

/// Translates trees of XGBoost, and adds their categories to a forest whose head has been read.
class XGBoostTreeReader {
public:
    explicit XGBoostTreeReader(TreeEnsemble& forest) : forest_(forest) {}

    [[nodiscard]] Tree read(const io::JSONValue& value, float weight) {
        const io::JSONValue parameters = value["tree_param"];
        const std::size_t size = xgboost_parameter<std::uint32_t>(parameters, "num_nodes");
        const std::size_t width =
            std::max(xgboost_parameter<std::uint32_t>(parameters, "size_leaf_vector"), std::uint32_t{1});
        if (width != 1 && width != forest_.outputs) {
            parameters.fail("leaves with one value or one per output", std::to_string(width) + " values");
        }
        if (size == 0 || size > 4 * max_leaves) {
            parameters.fail("1 to " + std::to_string(4 * max_leaves) + " nodes", std::to_string(size));
        }
        XGBoostNodes nodes;
        nodes.left = per_node<std::int32_t>(value["left_children"], size);
        nodes.right = per_node<std::int32_t>(value["right_children"], size);
        nodes.parents = per_node<std::int32_t>(value["parents"], size);
        nodes.features = per_node<std::uint32_t>(value["split_indices"], size);
        nodes.conditions = per_node<float>(value["split_conditions"], size);
        nodes.default_left = flags(value["default_left"], size);
        if (const auto types = value.find("split_type")) {
            nodes.is_categorical = flags(*types, size);
        }
        if (const auto covers = value.find("sum_hessian")) {
            nodes.covers = per_node<double>(*covers, size);
        }
        if (width > 1) {
            const auto leaves = value.find("leaf_weights");
            nodes.has_vectors_of_leaves = leaves.has_value();
            const io::JSONValue vectors = leaves ? *leaves : value["base_weights"];
            nodes.leaf_vectors = vectors.numbers<float>();
            if (!leaves && nodes.leaf_vectors.size() != size * width) {
                vectors.fail(std::to_string(size * width) + " numbers", std::to_string(nodes.leaf_vectors.size()));
            }
        }
        read_categories(value, nodes);
        const auto deleted = xgboost_parameter<std::uint32_t>(parameters, "num_deleted", 0);
        return translated(value, nodes, width, weight, deleted);
    }

private:
    template <class T>
    [[nodiscard]] static std::vector<T> per_node(const io::JSONValue& array, std::size_t size) {
        if (array.size() != size) {
            array.fail(std::to_string(size) + " numbers, one per node", std::to_string(array.size()));
        }
        return array.numbers<T>();
    }

    // Numbers 0 and 1, or before 1.6 also true and false.
    [[nodiscard]] static std::vector<std::uint8_t> flags(const io::JSONValue& array, std::size_t size) {
        std::vector<std::uint8_t> out;
        if (array.kind() == io::JSONKind::Array && array.size() == size &&
            array.elements().front().kind() != io::JSONKind::Number) {
            for (const io::JSONValue& flag : array.elements()) {
                out.push_back(flag.boolean() ? 1 : 0);
            }
            return out;
        }
        out = per_node<std::uint8_t>(array, size);
        if (std::any_of(out.begin(), out.end(), [](std::uint8_t flag) { return flag > 1; })) {
            array.fail("0 or 1 for each node", "another number");
        }
        return out;
    }

    void read_categories(const io::JSONValue& tree, XGBoostNodes& nodes) {
        const auto flagged = std::count(nodes.is_categorical.begin(), nodes.is_categorical.end(), 1);
        const auto listed = tree.find("categories_nodes");
        if (flagged == 0 && (!listed || listed->size() == 0)) {
            return;
        }
        const io::JSONValue value = tree["categories"];
        const auto categories = value.numbers<std::uint32_t>();
        const auto splits = tree["categories_nodes"].numbers<std::uint32_t>();
        const auto begins = tree["categories_segments"].numbers<std::uint64_t>();
        const auto sizes = tree["categories_sizes"].numbers<std::uint64_t>();
        if (begins.size() != splits.size() || sizes.size() != splits.size()) {
            value.fail("as many segments and sizes as nodes", "other numbers");
        }
        if (splits.size() != static_cast<std::size_t>(flagged)) {
            value.fail("sets for the " + std::to_string(flagged) + " categorical nodes that split_type names",
                       std::to_string(splits.size()) + " sets");
        }
        nodes.category_set.resize(nodes.left.size());
        for (std::size_t i = 0; i < splits.size(); ++i) {
            if (splits[i] >= nodes.left.size() || nodes.category_set[splits[i]]) {
                value.fail("one set of categories for each node", "node " + std::to_string(splits[i]));
            }
            if (begins[i] > categories.size() || sizes[i] > categories.size() - begins[i] || sizes[i] == 0) {
                value.fail("segments of the categories", "segment " + std::to_string(i) + " outside");
            }
            const auto members = std::span(categories).subspan(begins[i], sizes[i]);
            const std::uint32_t largest = *std::max_element(members.begin(), members.end());
            constexpr std::uint32_t max_category = 1U << 24;
            constexpr std::size_t max_words = std::size_t{1} << 25;  // of all sets: 128 MiB
            const std::size_t words = largest / 32 + 1;
            if (largest >= max_category || words > max_words - category_words_) {
                value.fail("categories below 2^24, and sets of at most 128 MiB", std::to_string(largest));
            }
            category_words_ += words;
            std::vector<std::uint32_t> set(words);
            for (const std::uint32_t category : members) {
                set[category / 32] |= 1U << (category % 32);
            }
            nodes.category_set[splits[i]] = static_cast<std::uint32_t>(forest_.category_sets.size());
            forest_.category_sets.push_back(std::move(set));
        }
    }

    // Numbers the splits and leaves that are reachable from the root. XGBoost keeps deleted nodes in its arrays.
    [[nodiscard]] Tree translated(const io::JSONValue& value, const XGBoostNodes& nodes, std::size_t width,
                                  float weight, std::size_t deleted) const {
        const std::size_t size = nodes.left.size();
        const bool has_covers =
            !nodes.covers.empty() && std::all_of(nodes.covers.begin(), nodes.covers.end(), [](const double& cover) {
                return math::is_finite(cover) && cover >= 0.0;  // custom objectives may break this
            });
        struct Waiting {
            std::size_t node;
            std::size_t parent;
            bool is_left;
        };
        Tree tree;
        std::vector<bool> is_taken(size, false);
        std::vector<Waiting> waiting{{0, 0, false}};
        std::size_t leaves = 0;
        while (!waiting.empty()) {
            const auto [node, parent, is_left] = waiting.back();
            waiting.pop_back();
            if (is_taken[node]) {
                value.fail("a tree", "node " + std::to_string(node) + " as the child of two nodes");
            }
            is_taken[node] = true;
            const bool is_leaf = nodes.left[node] == -1;
            const std::size_t number = is_leaf ? leaves : tree.splits.size();
            if (node != 0) {
                const auto child = static_cast<std::int32_t>(is_leaf ? ~number : number);
                (is_left ? tree.splits[parent].left : tree.splits[parent].right) = child;
            }
            if (has_covers) {
                (is_leaf ? tree.leaf_covers : tree.split_covers).push_back(nodes.covers[node]);
            }
            if (is_leaf) {
                ++leaves;
                add_leaf(value, nodes, node, width, weight, tree);
                continue;
            }
            tree.splits.push_back(split_of(value, nodes, node));
            const bool is_swapped = is_categorical(nodes, node) || is_never_left(nodes, node);
            for (const std::int32_t child : {nodes.right[node], nodes.left[node]}) {
                if (child <= 0 || static_cast<std::size_t>(child) >= size) {
                    value.fail("children from 1 to " + std::to_string(size - 1),
                               std::to_string(child) + " at node " + std::to_string(node));
                }
                const auto at = static_cast<std::size_t>(child);
                if (nodes.parents[at] != static_cast<std::int32_t>(node)) {
                    value.fail("the parent " + std::to_string(node) + " of node " + std::to_string(child),
                               std::to_string(nodes.parents[at]));
                }
                waiting.push_back({at, number, (child == nodes.left[node]) != is_swapped});
            }
        }
        const auto unreachable = static_cast<std::size_t>(std::count(is_taken.begin(), is_taken.end(), false));
        if (unreachable != deleted) {
            value.fail(std::to_string(deleted) + " deleted nodes", std::to_string(unreachable) + " unreachable ones");
        }
        return tree;
    }

    [[nodiscard]] static bool is_categorical(const XGBoostNodes& nodes, std::size_t node) {
        return !nodes.is_categorical.empty() && nodes.is_categorical[node] == 1;
    }

    // x < -infinity never holds.
    [[nodiscard]] static bool is_never_left(const XGBoostNodes& nodes, std::size_t node) {
        return nodes.conditions[node] < std::numeric_limits<float>::lowest();
    }

    // x < t holds if x <= the next number below t. Listed categories go to the right, so the children are swapped.
    [[nodiscard]] static TreeSplit split_of(const io::JSONValue& value, const XGBoostNodes& nodes, std::size_t node) {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        TreeSplit split;
        split.feature = nodes.features[node];
        split.missing_goes_left = nodes.default_left[node] == 1;
        if (is_categorical(nodes, node)) {
            const auto set = nodes.category_set.empty() ? std::nullopt : nodes.category_set[node];
            if (!set) {
                value.fail("categories for node " + std::to_string(node), "none");
            }
            split.categories = *set;
            split.missing_goes_left = !split.missing_goes_left;
        } else if (is_never_left(nodes, node)) {
            split.threshold = static_cast<double>(infinity);
            split.missing_goes_left = !split.missing_goes_left;
        } else {
            split.threshold = static_cast<double>(std::nextafter(nodes.conditions[node], -infinity));
        }
        return split;
    }

    static void add_leaf(const io::JSONValue& value, const XGBoostNodes& nodes, std::size_t node, std::size_t width,
                         float weight, Tree& tree) {
        if (width == 1) {
            if (nodes.right[node] != -1) {
                value.fail("a leaf without children", "a right child at node " + std::to_string(node));
            }
            tree.leaf_values.push_back(static_cast<double>(nodes.conditions[node] * weight));
            return;
        }
        // Where leaves have their own vectors, the right child of a leaf is the number of its vector.
        const std::int64_t vector = nodes.has_vectors_of_leaves ? nodes.right[node] : static_cast<std::int64_t>(node);
        if (vector < 0 || static_cast<std::size_t>(vector) >= nodes.leaf_vectors.size() / width) {
            value.fail("a leaf with a vector of values", "none at node " + std::to_string(node));
        }
        for (std::size_t o = 0; o < width; ++o) {
            tree.leaf_values.push_back(
                static_cast<double>(nodes.leaf_vectors[static_cast<std::size_t>(vector) * width + o] * weight));
        }
    }

    TreeEnsemble& forest_;
    std::size_t category_words_ = 0;
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
