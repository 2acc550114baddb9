// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace demo {

/// Text as it may stand in HTML and SVG.
inline std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '&':
                result += "&amp;";
                break;
            case '<':
                result += "&lt;";
                break;
            case '>':
                result += "&gt;";
                break;
            case '"':
                result += "&quot;";
                break;
            default:
                result += c;
        }
    }
    return result;
}

/// A number with a fixed number of digits; a dash for NaN.
inline std::string digits(double value, int count) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", count, std::abs(value) < 1e-12 ? 0.0 : value);  // never -0
    return std::isnan(value) ? "&ndash;" : text;
}

/// A drawing that scales with the page. Colours come from the page's style sheet, by class.
class Drawing {
public:
    Drawing(double width, double height, std::string_view description) {
        text_ = "<svg viewBox=\"0 0 " + digits(width, 0) + " " + digits(height, 0) + "\" role=\"img\" aria-label=\"" +
                escaped(description) + "\">\n";
    }

    void line(double x1, double y1, double x2, double y2, std::string_view style) {
        text_ += "<line x1=\"" + digits(x1, 1) + "\" y1=\"" + digits(y1, 1) + "\" x2=\"" + digits(x2, 1) + "\" y2=\"" +
                 digits(y2, 1) + "\" class=\"" + std::string(style) + "\"/>\n";
    }
    void bar(double x, double y, double width, double height, std::string_view style, std::string_view hint) {
        text_ += "<rect x=\"" + digits(x, 1) + "\" y=\"" + digits(y, 1) + "\" width=\"" +
                 digits(std::max(width, 0.0), 1) + "\" height=\"" + digits(height, 1) + "\" class=\"" +
                 std::string(style) + "\"><title>" + escaped(hint) + "</title></rect>\n";
    }
    void dot(double x, double y, double radius, std::string_view style, std::string_view hint) {
        text_ += "<circle cx=\"" + digits(x, 1) + "\" cy=\"" + digits(y, 1) + "\" r=\"" + digits(radius, 1) +
                 "\" class=\"" + std::string(style) + "\"><title>" + escaped(hint) + "</title></circle>\n";
    }
    void path(const std::vector<std::pair<double, double>>& points, std::string_view style) {
        text_ += "<polyline class=\"" + std::string(style) + "\" points=\"";
        for (const auto& [x, y] : points) {
            text_ += digits(x, 1) + "," + digits(y, 1) + " ";
        }
        text_ += "\"/>\n";
    }
    /// anchor: start, middle or end. A detail is left out on narrow screens.
    void text(double x, double y, std::string_view anchor, std::string_view words, bool is_detail = false) {
        text_ += "<text x=\"" + digits(x, 1) + "\" y=\"" + digits(y, 1) + "\" text-anchor=\"" + std::string(anchor) +
                 (is_detail ? "\" class=\"detail" : "") + "\">" + escaped(words) + "</text>\n";
    }

    [[nodiscard]] std::string finish() const { return text_ + "</svg>\n"; }

private:
    std::string text_;
};

/// Maps [low, high] to [from, to], linearly or by the logarithm, and finds round numbers in between.
class Axis {
public:
    Axis(double low, double high, double from, double to, bool is_log = false)
        : low_(is_log ? std::log10(low) : low),
          high_(is_log ? std::log10(high) : high),
          from_(from),
          to_(to),
          is_log_(is_log) {
        if (!(high_ > low_)) {
            high_ = low_ + 1.0;
        }
    }

    [[nodiscard]] double operator()(double value) const {
        const double place = is_log_ ? std::log10(value) : value;
        return from_ + (place - low_) / (high_ - low_) * (to_ - from_);
    }

    /// Round numbers between both ends, and how many digits behind the point tell them apart.
    [[nodiscard]] std::vector<double> ticks(int about = 5) const {
        std::vector<double> result;
        if (is_log_) {
            for (double power = std::ceil(low_ - 1e-9); power <= high_ + 1e-9; ++power) {
                result.push_back(std::pow(10.0, power));
            }
            return result;
        }
        const double step = step_of(about);
        for (double value = std::ceil(low_ / step - 1e-9) * step; value <= high_ + 1e-9 * step; value += step) {
            result.push_back(value);
        }
        return result;
    }
    [[nodiscard]] int tick_digits(int about = 5) const {
        return is_log_ ? 0 : std::max(0, static_cast<int>(-std::floor(std::log10(step_of(about)) + 1e-9)));
    }

private:
    [[nodiscard]] double step_of(int about) const {
        const double rough = (high_ - low_) / about;
        const double power = std::pow(10.0, std::floor(std::log10(rough)));
        return power * (rough / power >= 5.0 ? 5.0 : rough / power >= 2.0 ? 2.0 : 1.0);
    }

    double low_;
    double high_;
    double from_;
    double to_;
    bool is_log_;
};

}  // namespace demo
