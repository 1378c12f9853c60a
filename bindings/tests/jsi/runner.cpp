// A bare JSI runtime for the suite: JavaScriptCore, an event loop, timers, and what a case needs of the
// machine. React Native has the same parts, with a phone around them.
//
// Usage: runner BUNDLE MODE FIXTURES SCRATCH LIST LIBRARY [PART]
//
// The bundle finds its words in `machine.words`, and ends the process with `machine.exit`.

#include <JSCRuntime.h>
#include <ReactCommon/CallInvoker.h>
#include <jsi/jsi.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "finalmile.hpp"

extern char** environ;

namespace {
namespace files = std::filesystem;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

// --- the event loop ------------------------------------------------------------------------------

// Work for the thread of JavaScript, from any thread. It outlives the runtime, because threads of the
// library hold it.
class Loop : public react::CallInvoker {
 public:
  void invokeAsync(react::CallFunc&& act) noexcept override {
    {
      std::lock_guard guard(mutex_);
      // Nobody would ever do it: whoever waits for it is not our concern.
      if (closed_) return;
      calls_.push_back(std::move(act));
    }
    more_.notify_one();
  }

  void invokeSync(react::CallFunc&&) override {
    std::abort();  // The generated code never asks for it.
  }

  // Does what there is until `over` holds.
  void run(jsi::Runtime& runtime, const std::function<bool()>& over) {
    while (!over()) {
      std::deque<react::CallFunc> calls;
      {
        std::unique_lock guard(mutex_);
        auto any = [&] { return !calls_.empty(); };
        if (timers_.empty()) {
          more_.wait(guard, any);
        } else {
          more_.wait_until(guard, timers_.begin()->first, any);
        }
        calls.swap(calls_);
      }
      while (!calls.empty() && !over()) {
        auto act = std::move(calls.front());
        calls.pop_front();
        act(runtime);
      }
      while (!timers_.empty() && timers_.begin()->first <= Clock::now() && !over()) {
        auto [id, act] = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        if (cancelled_.erase(id) == 0) act();
      }
    }
  }

  // Lets go of everything, which holds values of the runtime that is about to end.
  void close() {
    std::lock_guard guard(mutex_);
    closed_ = true;
    calls_.clear();
    timers_.clear();
  }

  int after(double ms, std::function<void()> act) {
    auto when = Clock::now() + std::chrono::duration_cast<Clock::duration>(Milliseconds(ms));
    timers_.emplace(when, std::pair(++last_id_, std::move(act)));
    return last_id_;
  }

  void cancel(int id) {
    for (auto timer = timers_.begin(); timer != timers_.end(); ++timer) {
      if (timer->second.first == id) {
        timers_.erase(timer);
        return;
      }
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<react::CallFunc> calls_;
  bool closed_ = false;
  // Of the thread of JavaScript alone.
  std::multimap<Clock::time_point, std::pair<int, std::function<void()>>> timers_;
  std::set<int> cancelled_;
  int last_id_ = 0;
};

// --- what the machine gives ----------------------------------------------------------------------

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

double milliseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double resident() {
  std::ifstream in("/proc/self/statm");
  double pages = 0, in_memory = 0;
  in >> pages >> in_memory;
  return in_memory * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Starts a program, whose output goes to a file where one is named.
pid_t started(std::vector<std::string> words, const std::string& output = "/dev/null") {
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = 0;
  int failed = posix_spawnp(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::runtime_error("cannot start " + words[0]);
  return pid;
}

// What is asked of the process while it runs.
struct Wish {
  std::optional<int> status;
  bool leave = false;
};

using Words = std::vector<std::string>;
using Args = const jsi::Value*;

class Machine {
 public:
  Machine(jsi::Runtime& runtime, std::shared_ptr<Loop> loop, Wish& wish, Words words)
      : runtime_(runtime), loop_(std::move(loop)), wish_(wish), words_(std::move(words)) {}

  void install() {
    jsi::Object machine(runtime_);
    jsi::Array words(runtime_, words_.size());
    for (size_t at = 0; at < words_.size(); at++) words.setValueAtIndex(runtime_, at, text(words_[at]));
    machine.setProperty(runtime_, "words", words);
    for (auto& [name, act] : functions()) {
      machine.setProperty(runtime_, name.c_str(), function(name, std::move(act)));
    }
    runtime_.global().setProperty(runtime_, "machine", machine);
    for (bool again : {false, true}) {
      auto set = [this, again](Args args) { return jsi::Value(timer(args, again)); };
      auto clear = [this](Args args) {
        if (args[0].isNumber()) clear_timer(static_cast<int>(args[0].getNumber()));
        return jsi::Value();
      };
      std::string kind = again ? "Interval" : "Timeout";
      runtime_.global().setProperty(runtime_, ("set" + kind).c_str(), function("set" + kind, set));
      runtime_.global().setProperty(runtime_, ("clear" + kind).c_str(), function("clear" + kind, clear));
    }
  }

 private:
  using Act = std::function<jsi::Value(Args)>;

  std::map<std::string, Act> functions() {
    return {
        {"print", [this](Args args) {
           std::cout << word(args[0]) << std::endl;
           return jsi::Value();
         }},
        {"now", [](Args) { return jsi::Value(milliseconds(CLOCK_MONOTONIC)); }},
        {"worked", [](Args) { return jsi::Value(milliseconds(CLOCK_THREAD_CPUTIME_ID)); }},
        {"memory", [](Args) { return jsi::Value(resident()); }},
        {"collect", [this](Args) {
           facebook::jsc::collectGarbage(runtime_);
           return jsi::Value();
         }},
        {"read", [this](Args args) { return text(contents(word(args[0]))); }},
        {"write", [this](Args args) {
           std::ofstream out(word(args[0]), std::ios::binary | std::ios::trunc);
           out << word(args[1]);
           if (!out.flush()) throw std::runtime_error("cannot write " + word(args[0]));
           return jsi::Value();
         }},
        {"copy", [this](Args args) {
           files::copy_file(word(args[0]), word(args[1]), files::copy_options::overwrite_existing);
           return jsi::Value();
         }},
        {"size", [this](Args args) {
           std::error_code failed;
           auto bytes = files::file_size(word(args[0]), failed);
           return failed ? jsi::Value() : jsi::Value(static_cast<double>(bytes));
         }},
        {"names", [this](Args args) { return names(word(args[0])); }},
        {"makeFolder", [this](Args args) {
           files::create_directories(word(args[0]));
           return jsi::Value();
         }},
        {"start", [this](Args args) {
           auto list = args[0].getObject(runtime_).getArray(runtime_);
           Words words;
           for (size_t at = 0; at < list.size(runtime_); at++) {
             words.push_back(word(list.getValueAtIndex(runtime_, at)));
           }
           return jsi::Value(static_cast<double>(started(words)));
         }},
        {"stop", [](Args args) {
           auto pid = static_cast<pid_t>(args[0].getNumber());
           kill(pid, SIGTERM);
           waitpid(pid, nullptr, 0);
           return jsi::Value();
         }},
        {"again", [this](Args args) { return again(word(args[0])); }},
        {"leave", [this](Args) {
           wish_.leave = true;
           return jsi::Value();
         }},
        {"exit", [this](Args args) {
           wish_.status = static_cast<int>(args[0].getNumber());
           return jsi::Value();
         }},
    };
  }

  jsi::Value names(const std::string& folder) {
    std::set<std::string> sorted;
    std::error_code none;
    for (auto& entry : files::directory_iterator(folder, none)) sorted.insert(entry.path().filename());
    jsi::Array list(runtime_, sorted.size());
    size_t at = 0;
    for (auto& name : sorted) list.setValueAtIndex(runtime_, at++, text(name));
    return list;
  }

  // This program once more, in another mode and a folder of its own.
  jsi::Value again(const std::string& mode) {
    std::string folder = words_[3] + "/again", output = folder + "/output";
    files::create_directories(folder);
    Words words{"/proc/self/exe", words_[0], mode, words_[2], folder, words_[4], words_[5]};
    double begun = milliseconds(CLOCK_MONOTONIC);
    pid_t pid = started(words, output);
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
      if (milliseconds(CLOCK_MONOTONIC) - begun > 15'000) kill(pid, SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    jsi::Object answer(runtime_);
    answer.setProperty(runtime_, "status", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    answer.setProperty(runtime_, "ms", milliseconds(CLOCK_MONOTONIC) - begun);
    answer.setProperty(runtime_, "output", text(contents(output)));
    return answer;
  }

  int timer(Args args, bool again) {
    auto act = std::make_shared<jsi::Value>(runtime_, args[0]);
    double ms = args[1].isNumber() ? args[1].getNumber() : 0;
    int id = ++last_timer_;
    arm(id, ms, again, act);
    return id;
  }

  void arm(int id, double ms, bool again, std::shared_ptr<jsi::Value> act) {
    timers_[id] = loop_->after(ms, [this, id, ms, again, act] {
      timers_.erase(id);
      // Before the call, which may clear it.
      if (again) arm(id, ms, again, act);
      act->getObject(runtime_).getFunction(runtime_).call(runtime_);
    });
  }

  void clear_timer(int id) {
    if (auto found = timers_.find(id); found != timers_.end()) {
      loop_->cancel(found->second);
      timers_.erase(found);
    }
  }

  jsi::String text(const std::string& utf8) { return jsi::String::createFromUtf8(runtime_, utf8); }
  std::string word(const jsi::Value& value) { return value.getString(runtime_).utf8(runtime_); }

  jsi::Function function(const std::string& name, Act act) {
    auto call = [act = std::move(act), name](
                    jsi::Runtime& runtime, const jsi::Value&, const jsi::Value* args, size_t count) {
      // What is left out is `undefined`.
      std::vector<jsi::Value> all;
      for (size_t at = 0; at < count; at++) all.emplace_back(runtime, args[at]);
      while (all.size() < 2) all.emplace_back();
      return act(all.data());
    };
    return jsi::Function::createFromHostFunction(
        runtime_, jsi::PropNameID::forUtf8(runtime_, name), 2, std::move(call));
  }

  jsi::Runtime& runtime_;
  std::shared_ptr<Loop> loop_;
  Wish& wish_;
  Words words_;
  std::map<int, int> timers_;
  int last_timer_ = 0;
};

// --- a runtime from its beginning to its end -----------------------------------------------------

int played(const Words& words, const std::string& mode) {
  auto runtime = facebook::jsc::makeJSCRuntime();
  auto loop = std::make_shared<Loop>();
  Wish wish;
  Words own = words;
  own[1] = mode;
  Machine machine(*runtime, loop, wish, own);
  int status = 1;
  try {
    machine.install();
    NativeFinalmile::registerModule(*runtime, loop);
    runtime->evaluateJavaScript(std::make_shared<jsi::StringBuffer>(contents(words[0])), words[0]);
    loop->run(*runtime, [&] { return wish.leave || wish.status.has_value(); });
    status = wish.status.value_or(0);
  } catch (const jsi::JSError& error) {
    std::cout << "nobody caught: " << error.getMessage() << "\n" << error.getStack() << std::endl;
  }
  // As React Native takes a runtime away when the app is loaded anew. Nobody calls `unregisterModule`
  // there, which would free what threads of the library are about to call.
  loop->close();
  runtime.reset();
  return status;
}
}  // namespace

int main(int count, char** values) {
  Words words(values + 1, values + count);
  if (words.size() < 6) {
    std::cerr << "usage: runner BUNDLE MODE FIXTURES SCRATCH LIST LIBRARY [PART]" << std::endl;
    return 2;
  }
  int status = played(words, words[1]);
  if (words[1] == "torn-down" && status == 0) {
    // What was under way goes on without its runtime, and then the app is there again.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    status = played(words, "after");
  }
  return status;
}
