#include "deploy/meshctl/line_diff.hpp"

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

namespace mesh::ctl {

namespace {

constexpr std::size_t contextLines = 3;

// A line of either text: ' ' in both, '-' in the first, '+' in the second.
struct Step {
    char mark;
    std::string line;
};

std::vector<std::string> linesOf(const std::string& text)
{
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

// By the longest common subsequence.
std::vector<Step> stepsBetween(const std::vector<std::string>& from, const std::vector<std::string>& to)
{
    const std::size_t width = to.size() + 1;
    std::vector<unsigned> common((from.size() + 1) * width);
    for (std::size_t i = from.size(); i-- > 0;) {
        for (std::size_t j = to.size(); j-- > 0;) {
            common[i * width + j] = from[i] == to[j] ? common[(i + 1) * width + j + 1] + 1
                                                     : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
        }
    }
    std::vector<Step> steps;
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < from.size() || j < to.size()) {
        if (i < from.size() && j < to.size() && from[i] == to[j]) {
            steps.push_back({' ', from[i++]});
            ++j;
        } else if (j == to.size() || (i < from.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
            steps.push_back({'-', from[i++]});
        } else {
            steps.push_back({'+', to[j++]});
        }
    }
    return steps;
}

std::string rangeOf(std::size_t start, std::size_t count)
{
    return std::to_string(count == 0 ? start : start + 1) + (count == 1 ? "" : "," + std::to_string(count));
}

// The end of the hunk that begins with the change at `at`: behind the last change that is no more than two contexts away.
std::size_t endOfHunk(const std::vector<Step>& steps, std::size_t at)
{
    std::size_t last = at;
    for (std::size_t next = at; next < steps.size() && next <= last + 2 * contextLines; ++next) {
        last = steps[next].mark == ' ' ? last : next;
    }
    return std::min(steps.size(), last + 1 + contextLines);
}

}  // namespace

std::string unifiedDiff(const std::string& from, const std::string& to, const std::string& fromLabel, const std::string& toLabel)
{
    const std::vector<Step> steps = stepsBetween(linesOf(from), linesOf(to));
    std::string out;
    std::size_t done = 0;
    std::size_t line[2] = {0, 0};  // of each text, at `done`
    const auto pass = [&](std::size_t until, std::string* hunk) {
        for (; done < until; ++done) {
            line[0] += steps[done].mark == '+' ? 0 : 1;
            line[1] += steps[done].mark == '-' ? 0 : 1;
            if (hunk != nullptr) {
                *hunk += steps[done].mark + steps[done].line + "\n";
            }
        }
    };
    for (std::size_t at = 0; at < steps.size(); at = std::max(at + 1, done)) {
        if (steps[at].mark == ' ') {
            continue;
        }
        pass(std::max(done, at - std::min(at, contextLines)), nullptr);
        const std::size_t start[2] = {line[0], line[1]};
        std::string hunk;
        pass(endOfHunk(steps, at), &hunk);
        out += out.empty() ? "--- " + fromLabel + "\n+++ " + toLabel + "\n" : "";
        out += "@@ -" + rangeOf(start[0], line[0] - start[0]) + " +" + rangeOf(start[1], line[1] - start[1]) + " @@\n" + hunk;
    }
    return out;
}

}  // namespace mesh::ctl
