// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// Written by lambdamart_model.py: a model of LambdaMART, and how LightGBM scores it.

#include <array>
#include <string_view>

namespace funnel::testing {

// clang-format off
inline constexpr std::string_view lambdamart_model = R"(tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=2
objective=regression
feature_names=Column_0 Column_1 Column_2
feature_infos=none none none
tree_sizes=401 427 444 449

Tree=0
num_leaves=6
num_cat=0
split_feature=2 0 1 1 0
threshold=inf 1.0000000000000002 0.7500000000000001 -0.6249999999999999 0.5000000000000001
decision_type=8 10 10 8 10
left_child=3 -2 -3 -1 -5
right_child=1 2 -4 4 -6
leaf_value=67.140625 101.484375 92.703125 76.61979166666667 55.536458333333336 61.28004807692308
leaf_count=8 16 10 6 30 26
internal_count=96 32 16 64 56
is_linear=0
shrinkage=1


Tree=1
num_leaves=6
num_cat=0
split_feature=2 0 1 0 0
threshold=inf 1.0000000000000002 2.1250000000000004 2.8750000000000004 2.8750000000000004
decision_type=8 10 10 10 10
left_child=4 2 -2 -3 -1
right_child=1 3 -4 -5 -6
leaf_value=-6.4523610268103875 12.796274038461538 5.587540039649377 26.091145833333332 17.82899284362793 1.9878604888916016
leaf_count=59 13 13 3 3 5
internal_count=96 32 16 16 64
is_linear=0
shrinkage=1


Tree=2
num_leaves=6
num_cat=0
split_feature=2 2 2 1 1
threshold=3.1250000000000004 1.5000000000000002 -0.12499999999999999 -0.37499999999999994 2.1250000000000004
decision_type=8 8 8 8 10
left_child=1 2 3 -1 -5
right_child=-2 -3 -4 4 -6
leaf_value=1.5427722930908203 4.794094102723258 -11.531632180429167 1.9617459563647999 -9.509195998311043 2.0861567497253417
leaf_count=7 42 9 17 16 5
internal_count=96 54 45 28 21
is_linear=0
shrinkage=1


Tree=3
num_leaves=6
num_cat=0
split_feature=2 0 0 1 0
threshold=-1.8749999999999998 1.8750000000000002 1.3750000000000002 1.0000000180025095e-35 2.8750000000000004
decision_type=10 10 10 10 10
left_child=1 2 3 -1 -3
right_child=-2 4 -4 -5 -6
leaf_value=-2.0388024108750478 -1.9302523802902738 -4.2224631875934495 12.707620561122894 6.841131491320474 6.517449378967285
leaf_count=7 59 9 4 14 3
internal_count=96 37 25 21 12
is_linear=0
shrinkage=1


end of trees

pandas_categorical:null
)";

inline constexpr std::array<double, 96> lambdamart_scores{
    0x1.2d283db276995p+5, 0x1.88ecbae9a3c68p+5, 0x1.4b1da8609faa7p+6, 0x1.8592ac0c76995p+5,
    0x1.e75fe8c124925p+6, 0x1.cd88403cb29d1p+5, 0x1.1cfa4aad130b1p+5, 0x1.1cfa4aad130b1p+5,
    0x1.f7a9db0a27627p+6, 0x1.88ecbae9a3c68p+5, 0x1.d424cda595195p+6, 0x1.5b1b1ce069788p+5,
    0x1.fa652cf33e21bp+5, 0x1.e2680161cbeeap+5, 0x1.4b1da8609faa7p+6, 0x1.2d283db276995p+5,
    0x1.f7a9db0a27627p+6, 0x1.a587f28ef56e8p+5, 0x1.79cfa00268607p+5, 0x1.fe0a307c4682dp+5,
    0x1.f7a9db0a27627p+6, 0x1.5b1b1ce069788p+5, 0x1.8b72fdb5f4ffcp+6, 0x1.2d283db276995p+5,
    0x1.88ecbae9a3c68p+5, 0x1.5b1b1ce069788p+5, 0x1.d424cda595195p+6, 0x1.14a3d18d504bfp+6,
    0x1.cf2b6595c21c3p+6, 0x1.1cfa4aad130b1p+5, 0x1.1cfa4aad130b1p+5, 0x1.9f95610ebfbdep+5,
    0x1.d424cda595195p+6, 0x1.2d283db276995p+5, 0x1.cf2b6595c21c3p+6, 0x1.fa652cf33e21bp+5,
    0x1.e2680161cbeeap+5, 0x1.cd88403cb29d1p+5, 0x1.f7a9db0a27627p+6, 0x1.88ecbae9a3c68p+5,
    0x1.4b1da8609faa7p+6, 0x1.79cfa00268607p+5, 0x1.fe0a307c4682dp+5, 0x1.b6df9a1796a5bp+5,
    0x1.942f0f480b40cp+6, 0x1.cd88403cb29d1p+5, 0x1.f7a9db0a27627p+6, 0x1.88ecbae9a3c68p+5,
    0x1.5b1b1ce069788p+5, 0x1.8592ac0c76995p+5, 0x1.e75fe8c124925p+6, 0x1.cd88403cb29d1p+5,
    0x1.f7a9db0a27627p+6, 0x1.1cfa4aad130b1p+5, 0x1.9f95610ebfbdep+5, 0x1.88ecbae9a3c68p+5,
    0x1.d424cda595195p+6, 0x1.5b1b1ce069788p+5, 0x1.a70a936bcf3d0p+6, 0x1.e2680161cbeeap+5,
    0x1.cd88403cb29d1p+5, 0x1.2d283db276995p+5, 0x1.f7a9db0a27627p+6, 0x1.a587f28ef56e8p+5,
    0x1.942f0f480b40cp+6, 0x1.fe0a307c4682dp+5, 0x1.b6df9a1796a5bp+5, 0x1.5b1b1ce069788p+5,
    0x1.8b72fdb5f4ffcp+6, 0x1.2d283db276995p+5, 0x1.166be6f4aaaabp+7, 0x1.5b1b1ce069788p+5,
    0x1.8592ac0c76995p+5, 0x1.14a3d18d504bfp+6, 0x1.cf2b6595c21c3p+6, 0x1.1cfa4aad130b1p+5,
    0x1.166be6f4aaaabp+7, 0x1.9f95610ebfbdep+5, 0x1.88ecbae9a3c68p+5, 0x1.2d283db276995p+5,
    0x1.cf2b6595c21c3p+6, 0x1.fa652cf33e21bp+5, 0x1.d424cda595195p+6, 0x1.cd88403cb29d1p+5,
    0x1.2d283db276995p+5, 0x1.88ecbae9a3c68p+5, 0x1.4b1da8609faa7p+6, 0x1.79cfa00268607p+5,
    0x1.166be6f4aaaabp+7, 0x1.b6df9a1796a5bp+5, 0x1.5b1b1ce069788p+5, 0x1.cd88403cb29d1p+5,
    0x1.f7a9db0a27627p+6, 0x1.88ecbae9a3c68p+5, 0x1.4b1da8609faa7p+6, 0x1.8592ac0c76995p+5,
};
// clang-format on

}  // namespace funnel::testing
