// The one unit that holds the bodies of Asio and Beast; every other file sees declarations only
// (BOOST_ASIO_SEPARATE_COMPILATION and BOOST_BEAST_SEPARATE_COMPILATION are set for all targets).
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
