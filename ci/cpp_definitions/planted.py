"""Clashes and look-alikes for the selftest of ci/check_definitions.py."""


def in_harness(body):
    return f"namespace harness {{\n{body}\n}}  // namespace harness\n"


# What is told (None: nothing may be), one file, another: (name below harness/, text).
PLANTED = [
    ("type harness::Planted", ("run/a.h", in_harness("struct Planted { ~Planted(); };")),
     ("report/b.cpp", in_harness("class Planted final : public Other<int> { int x; };"))),
    ("type harness::Planted", ("run/a.h", "namespace harness { enum class Planted : int { a }; }"),
     ("report/b.h", "namespace harness { union [[nodiscard]] Planted { int a; } planted; }")),
    ("type harness::a::b::Planted", ("run/a.h", "namespace harness::a { namespace b { struct Planted {}; } }"),
     ("report/b.cpp", "namespace harness { struct a::b::Planted {}; }")),
    ("type harness::Outer::Planted", ("run/a.cpp", in_harness("struct Outer::Planted { int x; };")),
     ("run/b.cpp", in_harness("struct Outer::Planted { int y; };"))),
    ("type std::hash<harness::X>", ("run/a.h", "template <> struct std::hash<harness::X> {};"),
     ("report/b.h", "namespace std { template <> struct hash<harness::X> {}; }")),
    ("function harness::planted(const Json &, int)",
     ("run/a.h", in_harness("inline int planted(const Json& a, int b = 3) { return b; }")),
     ("report/b.h", in_harness("inline long planted(const Json&, int) { return 1; }"))),
    ("function harness::planted(const $0 &)",
     ("run/a.cpp", in_harness("template <class T>\nvoid planted(const T& a) {}")),
     ("report/b.cpp", in_harness("template <typename Other> int planted(const Other& b) { return 1; }"))),
    ("function harness::operator<<(Stream &, const X &)",
     ("run/a.h", in_harness("inline Stream& operator<<(Stream& s, const X& x) { return s; }")),
     ("report/b.h", in_harness("inline Stream& operator<<(Stream& t, const X& y) { return t; }"))),
    ("inline variable harness::planted",
     ("run/a.h", in_harness("inline constexpr int planted = 3;")),
     ("report/b.h", in_harness("inline const std::map<int, int> planted{{1, 2}};"))),
    ("type harness::Planted", ("run/one_test.cpp", in_harness("struct Planted {};")),
     ("run/two_test.cpp", in_harness("struct Planted {};"))),
    ("type harness::Planted", ("run/one_test.cpp", in_harness("struct Planted {};")),
     ("base/b.cpp", in_harness("struct Planted {};"))),
    ("type harness::Planted",  # behind everything that could lead a reader astray
     ("run/a.cpp", in_harness(r"""
Outer::Outer(int a) : a_{a}, b_([] { return 1; }()), c_{} { if (a) { b_ = '{'; } }
const char* text() { return "}" R"x( }} " )x" "\"}"; }  // } and /* {
inline constexpr auto less = [](int a, int b) { return a < b; };
std::function<void(int)> made(std::vector<int> x = {1, 2}) { return {}; }
auto number = 1'000'000; /* } */ static_assert(sizeof(int) == 4, "}");
#define BRACE {
struct Planted {};""")),
     ("report/b.cpp", in_harness("struct Planted {};"))),
    ("do not match", ("run/a.cpp", "namespace harness { struct X {};"), ("run/b.cpp", "")),
    (None, ("run/a.h", in_harness("struct Planted;\nclass Planted;\nenum class P : int;")),  # declarations
     ("run/b.h", in_harness("struct Planted {};\nenum class P : int { a };"))),
    (None, ("run/a.h", in_harness("struct One { struct Progress { int a; }; enum { x }; };")),
     ("run/b.h", in_harness("struct Two { struct Progress { int b; }; enum { x }; };"))),
    (None, ("run/a.cpp", in_harness("namespace {\nstruct Planted {};\nint planted() { return 1; }\n}")),
     ("run/b.cpp", in_harness("struct Planted {};\nint planted() { return 2; }"))),
    (None, ("run/a.cpp", "namespace harness::one { struct Planted {}; }"),  # other namespaces
     ("run/b.cpp", "namespace harness::two { struct Planted {}; } struct Planted {};")),
    (None, ("run/a.cpp", in_harness("void a() { struct Planted { int a; }; }")),  # local types
     ("run/b.cpp", in_harness("void b() { struct Planted { int b; }; }"))),
    (None, ("run/a.h", in_harness("// struct Planted {};\nconst char* a = \"struct Planted {};\";")),
     ("run/b.h", in_harness("struct Planted {};"))),
    (None, ("run/a.cpp", in_harness("int planted(int a) { return a; }\nstruct stat planted() { return {}; }")),
     ("run/b.cpp", in_harness("int planted(long a) { return 1; }\nstatic int planted(int a) { return a; }"))),
    (None, ("run/a.h", "template <> struct std::hash<harness::X> {};"),
     ("run/b.h", "template <> struct std::hash<harness::Y> {};\nclass T a() { return 1; }")),
    (None, ("run/one_test.cpp", in_harness("struct Planted {};")),  # tests of two folders
     ("report/two_test.cpp", in_harness("struct Planted {};"))),
    (None, ("run/a.cpp", in_harness("constexpr int planted = 1;\nusing Planted = int;")),
     ("run/b.cpp", in_harness("constexpr int planted = 2;\nusing Planted = long;"))),
]
