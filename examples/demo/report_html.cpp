// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "report_html.hpp"

#include "measure.hpp"
#include "print.hpp"
#include "report_data.hpp"
#include "svg.hpp"

#include <funnel/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace demo {

namespace {

/// NDCG@10 of every stage: a bar each for all, warm and cold users.
std::string quality_chart(const ReportData& data) {
    constexpr double left = 200.0;
    constexpr double right = 590.0;
    constexpr double height = 46.0;
    double most = 0.0;
    for (const Quality& row : data.quality) {
        for (const double value : {row.ndcg, row.ndcg_warm, row.ndcg_cold}) {
            most = std::isnan(value) ? most : std::max(most, value);
        }
    }
    const Axis axis(0.0, most, left, right);
    const double bottom = 30.0 + height * static_cast<double>(data.quality.size());
    Drawing drawing(640.0, bottom + 30.0, "NDCG at 10 for each stage, for all, warm and cold users");
    for (const double tick : axis.ticks()) {
        drawing.line(axis(tick), 24.0, axis(tick), bottom, "grid");
        drawing.text(axis(tick), bottom + 18.0, "middle", digits(tick, axis.tick_digits()));
    }
    const std::pair<const char*, const char*> groups[] = {{"all", "a"}, {"warm", "b"}, {"cold", "c"}};
    double legend = left;
    for (const auto& [name, style] : groups) {
        drawing.bar(legend, 6.0, 12.0, 10.0, style, name);
        drawing.text(legend + 17.0, 15.0, "start", std::string(name) + " users");
        legend += 145.0;
    }
    double y = 30.0;
    for (const Quality& row : data.quality) {
        drawing.text(left - 8.0, y + 25.0, "end", row.name);
        double at = y + 4.0;
        for (const auto& [value, group] : {std::pair(row.ndcg, groups[0]), std::pair(row.ndcg_warm, groups[1]),
                                           std::pair(row.ndcg_cold, groups[2])}) {
            if (!std::isnan(value)) {
                drawing.bar(left, at, axis(value) - left, 11.0, group.second,
                            row.name + ", " + group.first + " users: " + digits(value, 4));
                drawing.text(axis(value) + 4.0, at + 10.0, "start", digits(value, 3), true);
            }
            at += 12.5;
        }
        y += height;
    }
    return drawing.finish();
}

/// How long requests took, in equal steps up to the 99th percentile; slower ones are in the last bar.
std::string latency_chart(const ReportData& data) {
    constexpr std::size_t bins = 30;
    const double limit = std::max(quantile(data.latencies, 0.99) * 1.05, 1.0);
    std::vector<std::size_t> counts(bins, 0);
    for (const double latency : data.latencies) {
        const auto bin = static_cast<std::size_t>(latency / limit * static_cast<double>(bins));
        ++counts[std::min(bin, bins - 1)];
    }
    const Axis x(0.0, limit, 50.0, 620.0);
    const Axis y(0.0, static_cast<double>(*std::max_element(counts.begin(), counts.end())), 250.0, 30.0);
    Drawing drawing(640.0, 300.0, "Histogram of the latency of whole requests");
    for (const double tick : y.ticks()) {
        drawing.line(50.0, y(tick), 620.0, y(tick), "grid");
        drawing.text(44.0, y(tick) + 4.0, "end", digits(tick, y.tick_digits()));
    }
    for (const double tick : x.ticks(4)) {
        drawing.text(x(tick), 268.0, "middle", digits(tick, x.tick_digits(4)));
    }
    drawing.text(335.0, 290.0, "middle", "microseconds a request; slower ones are in the last bar");
    for (std::size_t bin = 0; bin < bins; ++bin) {
        const double from = limit * static_cast<double>(bin) / bins;
        const double top = y(static_cast<double>(counts[bin]));
        drawing.bar(x(from) + 1.0, top, 570.0 / bins - 2.0, 250.0 - top, "a",
                    std::to_string(counts[bin]) + " requests from " + digits(from, 0) + " microseconds");
    }
    for (const auto& [share, name] : {std::pair(0.5, "p50"), std::pair(0.99, "p99")}) {
        const double at = x(quantile(data.latencies, share));
        drawing.line(at, 24.0, at, 250.0, "mark");
        drawing.text(at, 18.0, "middle", name);
    }
    return drawing.finish();
}

/// Rows of each item, most popular first, both axes logarithmic.
std::string popularity_chart(const ReportData& data) {
    const std::vector<std::size_t>& counts = data.popularity;
    const auto shown =
        static_cast<std::size_t>(std::find(counts.begin(), counts.end(), std::size_t{0}) - counts.begin());
    Drawing drawing(640.0, 300.0, "Rows of each item, by rank of popularity");
    if (shown == 0) {
        return drawing.finish();
    }
    const Axis x(1.0, static_cast<double>(shown), 60.0, 620.0, true);
    const Axis y(1.0, static_cast<double>(counts.front()), 250.0, 20.0, true);
    for (const double tick : y.ticks()) {
        drawing.line(60.0, y(tick), 620.0, y(tick), "grid");
        drawing.text(54.0, y(tick) + 4.0, "end", digits(tick, 0));
    }
    for (const double tick : x.ticks()) {
        drawing.line(x(tick), 20.0, x(tick), 250.0, "grid");
        drawing.text(x(tick), 268.0, "middle", digits(tick, 0));
    }
    drawing.text(340.0, 290.0, "middle", "rank of the item by popularity");
    drawing.text(64.0, 14.0, "start", "rows of the item");
    std::vector<std::pair<double, double>> points;
    for (std::size_t rank = 0; rank < shown; rank += 1 + rank / 40) {  // a screen shows no more
        points.emplace_back(x(static_cast<double>(rank + 1)), y(static_cast<double>(counts[rank])));
    }
    drawing.path(points, "curve");
    return drawing.finish();
}

/// NDCG@10 against the distance of genres in the list, a curve for each way to select, a point for each weight.
std::string trade_off_chart(const ReportData& data) {
    const auto by_distance = [](const TradeOff& a, const TradeOff& b) { return a.list_distance < b.list_distance; };
    const auto by_ndcg = [](const TradeOff& a, const TradeOff& b) { return a.ndcg < b.ndcg; };
    const auto [near, far] = std::minmax_element(data.trade_offs.begin(), data.trade_offs.end(), by_distance);
    const auto [low, high] = std::minmax_element(data.trade_offs.begin(), data.trade_offs.end(), by_ndcg);
    const double margin_x = 0.06 * (far->list_distance - near->list_distance) + 1e-3;
    const double margin_y = 0.10 * (high->ndcg - low->ndcg) + 1e-3;
    const Axis x(near->list_distance - margin_x, far->list_distance + margin_x, 60.0, 620.0);
    const Axis y(low->ndcg - margin_y, high->ndcg + margin_y, 250.0, 20.0);
    Drawing drawing(640.0, 300.0, "Accuracy against diversity, for MMR over lambda and for DPP over theta");
    for (const double tick : y.ticks()) {
        drawing.line(60.0, y(tick), 620.0, y(tick), "grid");
        drawing.text(54.0, y(tick) + 4.0, "end", digits(tick, y.tick_digits()));
    }
    for (const double tick : x.ticks()) {
        drawing.text(x(tick), 268.0, "middle", digits(tick, x.tick_digits()));
    }
    drawing.text(340.0, 290.0, "middle", "mean distance of genres in a list");
    drawing.text(64.0, 14.0, "start", "NDCG@10");
    double legend = 300.0;
    for (const auto& [selection, style] : {std::pair("MMR", "a"), std::pair("DPP", "c")}) {
        drawing.dot(legend, 10.0, 4.0, style, selection);
        drawing.text(legend + 9.0, 14.0, "start",
                     std::string(selection) + (style[0] == 'a' ? ", by lambda" : ", by theta"));
        legend += 140.0;
        std::vector<std::pair<double, double>> points;
        for (const TradeOff& point : data.trade_offs) {
            if (point.selection == selection) {
                points.emplace_back(x(point.list_distance), y(point.ndcg));
            }
        }
        drawing.path(points, style[0] == 'a' ? "curve" : "curve2");
        bool is_above = true;
        for (const TradeOff& point : data.trade_offs) {
            if (point.selection != selection) {
                continue;
            }
            const bool is_used = style[0] == 'a' && std::abs(point.weight - data.lambda) < 1e-6;
            drawing.dot(x(point.list_distance), y(point.ndcg), is_used ? 7.0 : 4.0, is_used ? "b" : style,
                        point.selection + " " + digits(point.weight, 2) + ": NDCG@10 " + digits(point.ndcg, 4) +
                            ", distance " + digits(point.list_distance, 3) + ", coverage " + digits(point.coverage, 3));
            drawing.text(x(point.list_distance), y(point.ndcg) + (is_above ? -11.0 : 22.0), "middle",
                         digits(point.weight, 2));
            is_above = !is_above;  // neighbours may lie close together
        }
    }
    return drawing.finish();
}

}  // namespace

void write_report(const std::string& path, const ReportData& data) {
    std::string page = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>funnel: report</title><style>
:root { --text: #1c2733; --soft: #5a6775; --line: #d9dfe6; --page: #fff; --a: #2f6db3; --b: #d07a22; --c: #7aa38a }
@media (prefers-color-scheme: dark) {
  :root { --text: #e4e9ef; --soft: #9aa7b5; --line: #33404d; --page: #12181f; --a: #6ea6e6; --b: #e89a4c; --c: #8fbf9f } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 1180px; margin: 0 auto; padding: 16px }
h1 { font-size: 1.6rem; margin: .3em 0 } h2 { font-size: 1.15rem; margin: 0 0 .3em } p { margin: .3em 0 .8em }
.soft, figcaption { color: var(--soft); font-size: .9rem }
.grid2 { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 28px; margin: 20px 0 }
section { min-width: 0 } .scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; width: 100% }
th, td { padding: 4px 8px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child, th.left, td.left { text-align: left } td.words { text-align: left; white-space: normal }
tr.shown td { font-weight: 600 }
svg { width: 100%; height: auto; display: block } svg text { font-size: 12px; fill: var(--soft) }
svg .grid { stroke: var(--line) } svg .mark { stroke: var(--text); stroke-dasharray: 4 3 }
@media (max-width: 560px) { svg text { font-size: 19px } svg .detail { display: none } }
svg .curve { fill: none; stroke: var(--a); stroke-width: 2 } svg .curve2 { fill: none; stroke: var(--c); stroke-width: 2 } .a { fill: var(--a) } .b { fill: var(--b) } .c { fill: var(--c) }
</style></head><body>
)";
    page += "<h1>funnel on " + escaped(data.data) + "</h1>\n<p>" + std::to_string(data.users) + " users, " +
            std::to_string(data.items) + " items. Learned from " + std::to_string(data.train_rows) +
            " rows, judged by the " + std::to_string(data.test_rows) + " that came after them. " +
            evaluated_users(data) + "</p>\n";
    if (!data.note.empty()) {
        page += "<p><strong>" + escaped(data.note) + "</strong></p>\n";
    }

    page +=
        "<section><h2>Quality of each stage</h2><div class=\"scroll\"><table><tr><th>stage</th><th "
        "class=\"left\"></th><th>NDCG@10</th><th>warm</th><th>cold</th><th>recall@100</th><th>coverage</"
        "th>";
    page += data.has_genres ? "<th>genre distance</th></tr>\n" : "</tr>\n";
    for (const Quality& row : data.quality) {
        page += "<tr" + std::string(row.stage == "shown" ? " class=\"shown\"" : "") + "><td>" + escaped(row.stage) +
                "</td><td class=\"left\">" + escaped(row.name) + "</td>";
        for (const double value : {row.ndcg, row.ndcg_warm, row.ndcg_cold, row.recall, row.coverage}) {
            page += "<td>" + digits(value, 4) + "</td>";
        }
        page += (data.has_genres ? "<td>" + digits(row.list_distance, 4) + "</td>" : "") + "</tr>\n";
    }
    page += "</table></div>";
    for (const std::string& sentence : verdicts(data)) {
        page += "<p class=\"soft\">" + escaped(sentence) + "</p>";
    }
    page += "</section>\n";
    if (!data.steps.empty()) {
        page += "<section><h2>The last mile</h2><p class=\"soft\">What each step costs and gains for the " +
                std::to_string(data.warm_users) +
                " users with a history, compared one by one.</p><div class=\"scroll\"><table><tr><th>step</th><th "
                "class=\"left\">against</th><th>NDCG@10 (95 % interval)</th>";
        page += data.has_genres ? "<th>genre distance</th>" : "";
        page += "<th>items shown</th><th>&micro;s</th></tr>\n";
        for (const Step& step : data.steps) {
            page += "<tr><td>" + escaped(step.name) + "</td><td class=\"left\">" + escaped(step.before) + "</td><td>" +
                    in_percent(step.ndcg, true) + "</td>";
            page += data.has_genres ? "<td>" + (step.distance ? in_percent(*step.distance, false) : "") + "</td>" : "";
            page += "<td>" + std::string(step.coverage > 0.0 ? "+" : "") + digits(step.coverage, 0) + "</td><td>" +
                    digits(step.microseconds, 1) + "</td></tr>\n";
        }
        page += "</table></div>";
        for (const std::string& sentence : last_mile_in_words(data)) {
            page += "<p class=\"soft\">" + escaped(sentence) + "</p>";
        }
        page += "</section>\n";
    }
    page += "<div class=\"grid2\">\n";

    page += "<section><h2>NDCG@10, stage by stage</h2>" + quality_chart(data) + "</section>\n";
    if (!data.trade_offs.empty()) {
        page +=
            "<section><h2>Accuracy against diversity</h2><p class=\"soft\">MMR and DPP select from the same hundred "
            "candidates of each user, with several weights of relevance, without rules; the orange point is in "
            "use.</p>" +
            trade_off_chart(data) + "</section>\n";
    }
    if (!data.latencies.empty()) {
        page +=
            "<section><h2>Latency</h2><p class=\"soft\">Whole requests of users with a history, one after the other in "
            "one "
            "thread.</p>" +
            latency_chart(data) + "</section>\n";
        page +=
            "<section><h2>Latency of each stage</h2><div class=\"scroll\"><table><tr><th>stage</th><th>p50 "
            "&micro;s</th><th>p99 &micro;s</th><th>in</th><th>out</th></tr>\n";
        for (const StageLatency& stage : data.stages) {
            page += "<tr><td>" + escaped(stage.stage) + "</td><td>" + digits(stage.median, 1) + "</td><td>" +
                    digits(stage.p99, 1) + "</td><td>" + digits(stage.in, 1) + "</td><td>" + digits(stage.out, 1) +
                    "</td></tr>\n";
        }
        page += "</table></div></section>\n";
    }
    const double all = std::accumulate(data.popularity.begin(), data.popularity.end(), 0.0);
    const auto top = static_cast<std::ptrdiff_t>(data.popularity.size() / 10);
    const double head = std::accumulate(data.popularity.begin(), data.popularity.begin() + top, 0.0);
    page += "<section><h2>The long tail</h2><p class=\"soft\">A tenth of the items has " +
            digits(all > 0.0 ? 100.0 * head / all : 0.0, 0) + " % of the rows.</p>" + popularity_chart(data) +
            "</section>\n";

    if (!data.user.empty()) {
        page += "<section><h2>A list for user " + escaped(data.user) + "</h2>\n<p class=\"soft\">This user is " +
                escaped(data.choice) + ".</p>\n";
        if (!data.history.empty()) {
            page += "<p class=\"soft\">Chosen last: ";
            for (std::size_t i = 0; i < data.history.size(); ++i) {
                page += (i > 0 ? "; " : "") + escaped(data.history[i]);
            }
            page += "</p>\n";
        }
        page +=
            "<div class=\"scroll\"><table><tr><th></th><th class=\"left\">shown</th><th class=\"left\">why</th></tr>\n";
        for (std::size_t i = 0; i < data.list.size(); ++i) {
            page += "<tr><td>" + std::to_string(i + 1) + (data.list[i].is_hit ? " &#9733;" : "") +
                    "</td><td class=\"words\">" + escaped(data.list[i].title) + "</td><td class=\"words\">" +
                    escaped(data.list[i].because) + "</td></tr>\n";
        }
        page += "</table></div><p class=\"soft\">&#9733; this user went on to choose it.</p></section>\n";
    }
    page += "</div>\n";
    page += "<p class=\"soft\">" + escaped(data.build) + "; the whole run took " + digits(data.seconds, 1) +
            " s.</p>\n</body></html>\n";

    std::ofstream file(path, std::ios::binary);
    file << page;
    file.close();
    if (!file) {
        funnel::raise<funnel::IOError>("write_report: cannot write " + path);
    }
}

}  // namespace demo
