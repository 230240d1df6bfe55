// The picture of touches of cards.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "apps/strongroom/touches.h"

namespace strongroom::tool {
namespace {

constexpr double kWidth = 960, kHeight = 420, kLeft = 70, kRight = 250, kTop = 50, kBottom = 60;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr double kBarShare = 0.75, kBarWidthMax = 90;  // of a day's place
constexpr std::size_t kDayLabelsMax = 16;
constexpr int kGridLines = 4;
// Okabe and Ito's colors, told apart also by people who see few; the last is for all others.
constexpr std::array<std::string_view, 7> kColors{"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                                  "#56b4e9", "#d55e00", "#999999"};
constexpr std::size_t kActorsMax = kColors.size() - 1;
constexpr std::string_view kOthers = "others";

using Counts = std::map<std::string, std::uint64_t>;  // by actor

std::string escaped(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<') {
      safe += "&lt;";
    } else if (c == '&') {
      safe += "&amp;";
    } else {
      safe += c;
    }
  }
  return safe;
}

// The busiest actors, the first one most; `others` behind them when there are more.
std::vector<std::string> busiest(const Counts& totals) {
  std::vector<std::pair<std::uint64_t, std::string>> order;
  order.reserve(totals.size());
  for (const auto& [actor, count] : totals) order.emplace_back(count, actor);
  std::ranges::sort(order, std::greater());
  std::vector<std::string> names;
  for (const auto& [count, actor] : order) {
    if (names.size() == kActorsMax) {
      names.emplace_back(kOthers);
      break;
    }
    names.push_back(actor);
  }
  return names;
}

class Picture {
 public:
  explicit Picture(std::string_view title) {
    add(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" font-family="sans-serif" )"
        R"(font-size="12" role="img"><title>{}</title>)"
        R"(<rect width="100%" height="100%" fill="white"/>)"
        R"(<text x="{}" y="28" font-size="16">{}</text>)"
        "\n",
        kWidth, kHeight, escaped(title), kLeft, escaped(title));
  }

  template <class... Arguments>
  void add(fmt::format_string<Arguments...> form, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(text_), form, std::forward<Arguments>(arguments)...);
  }

  void grid(std::uint64_t most) {
    for (int line = 0; line <= kGridLines; ++line) {
      const double share = static_cast<double>(line) / kGridLines;
      const double y = kTop + kPlotHeight * (1 - share);
      add(R"(<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="#ddd"/>)", kLeft, kLeft + kPlotWidth, y,
          y);
      add(R"(<text x="{}" y="{}" text-anchor="end">{:.4g}</text>)"
          "\n",
          kLeft - 8, y + 4, static_cast<double>(most) * share);
    }
  }

  void legend(const std::vector<std::string>& actors) {
    const double x = kLeft + kPlotWidth + 24;
    for (std::size_t i = 0; i < actors.size(); ++i) {
      const double y = kTop + 22 * static_cast<double>(i);
      add(R"(<rect x="{}" y="{}" width="12" height="12" fill="{}"/>)", x, y, kColors.at(i));
      add(R"(<text x="{}" y="{}">{}</text>)"
          "\n",
          x + 20, y + 11, escaped(actors[i]));
    }
  }

  std::string finish() {
    add("</svg>\n");
    return std::move(text_);
  }

 private:
  std::string text_;
};

}  // namespace

std::string touches_svg(const std::map<Touch, std::uint64_t>& counts, std::string_view title) {
  Counts totals;
  for (const auto& [touch, count] : counts) totals[touch.actor] += count;
  const std::vector<std::string> actors = busiest(totals);
  std::map<std::string, std::vector<std::uint64_t>> days;  // by actor's place
  for (const auto& [touch, count] : counts) {
    const auto place = std::ranges::find(actors, touch.actor) - actors.begin();
    auto& day = days.try_emplace(touch.day, actors.size()).first->second;
    day[std::min(static_cast<std::size_t>(place), actors.size() - 1)] += count;
  }
  std::uint64_t most = 1;
  for (const auto& [day, parts] : days) {
    std::uint64_t sum = 0;
    for (const std::uint64_t part : parts) sum += part;
    most = std::max(most, sum);
  }
  Picture picture(title);
  picture.grid(most);
  const double place = kPlotWidth / static_cast<double>(std::max<std::size_t>(days.size(), 1));
  const std::size_t label_every = days.size() / kDayLabelsMax + 1;
  const double width = std::min(place * kBarShare, kBarWidthMax);
  std::size_t number = 0;
  for (const auto& [day, parts] : days) {
    const double x = kLeft + place * (static_cast<double>(number) + 0.5) - width / 2;
    double y = kTop + kPlotHeight;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const double height = kPlotHeight * static_cast<double>(parts[i]) / static_cast<double>(most);
      y -= height;
      picture.add(R"(<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}" fill="{}">)"
                  R"(<title>{}, {}: {}</title></rect>)"
                  "\n",
                  x, y, width, height, kColors.at(i), day, escaped(actors[i]), parts[i]);
    }
    if (number++ % label_every != 0) continue;
    picture.add(R"(<text x="{:.2f}" y="{}" text-anchor="middle">{}</text>)"
                "\n",
                x + width / 2, kTop + kPlotHeight + 20, day);
  }
  picture.legend(actors);
  return picture.finish();
}

}  // namespace strongroom::tool
