// keep-answering: after the signal that asks the daemon to leave, its port goes on accepting. A
// copy of its listening socket stays open when the daemon closes its own; the kernel completes
// connections.
#include <fmt/format.h>
#include <sys/socket.h>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"
#include "harness/prove/sockets.h"

namespace harness {
namespace {

bool expects_refusal(const Step& step) {
  const Node* port = step.arguments.find("port");
  if (is_await(step, "port")) return port->is_scalar() && port->text == "closed";
  const Node* error = step.arguments.find("error");
  return step.kind == "http" && error && error->is_scalar() && error->text == "refused";
}

std::vector<Place> places_to_answer(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  for (const auto& passage : course.passages()) {
    if (!asks_to_leave(*passage.step)) continue;
    for (const Passage* later : course.until_next_start(passage)) {
      if (!judged(*later->step) || !expects_refusal(*later->step)) continue;
      places.push_back({criteria_text(*later->step), passage.step->path});
      break;
    }
  }
  return places;
}

class KeepAnswering : public NotedStrike {
 public:
  KeepAnswering(const ProofSubject& subject, std::string step)
      : patience_(subject), step_(std::move(step)) {
    missed_ = fmt::format("step {} was not reached", step_);
  }
  void before_step(Live& live, const Step& step, const Limit&) override {
    if (step.path == step_) take(live);
  }
  std::optional<Milliseconds> patience(const Step& step) override {
    return copy_ && expects_refusal(step) ? std::optional(patience_.with(step)) : std::nullopt;
  }
  void after_step(Live&, const Step& step, const StepResult&, const Limit&) override {
    if (copy_ && expects_refusal(step)) finish();
  }
  void finish() override {
    if (!copy_) return;
    int listens = 0;
    socklen_t size = sizeof listens;
    ::getsockopt(copy_.get(), SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
    if (daemon_has(*daemon_, inode_)) {
      missed_ = "the daemon did not close its port";
    } else if (listens == 0) {
      missed_ = "the daemon shut the listening socket down, copies of it as well";
    } else {
      struck_ = fmt::format("port {} went on accepting when the daemon had closed it", port_);
    }
    copy_.reset();
  }

 private:
  void take(Live& live) {
    daemon_ = live.session.daemon;
    port_ = live.session.workspace->port();
    if (!daemon_ || !daemon_->running()) {
      missed_ = "no daemon was running";
      return;
    }
    missed_ = fmt::format("the daemon does not listen on port {}", port_);
    for (const auto& socket : sockets_of(*daemon_, port_)) {
      if (!socket.listening) continue;
      auto copy = copy_socket(*daemon_, socket);
      if (!copy) {
        missed_ = copy.error().message;
        return;
      }
      copy_ = std::move(*copy);
      inode_ = socket.inode;
    }
  }

  Patience patience_;
  std::string step_;
  std::shared_ptr<Child> daemon_;
  UniqueFd copy_;
  std::uint64_t inode_ = 0;
  int port_ = 0;
};

std::unique_ptr<Strike> answer_on(const ProofSubject& subject, const Place& place) {
  return std::make_unique<KeepAnswering>(subject, place.step);
}

}  // namespace

const WorldSabotage keep_answering = {
    "keep-answering", "the port goes on accepting after the daemon was asked to leave",
    places_to_answer, answer_on};
}  // namespace harness
