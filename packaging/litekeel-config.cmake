# litekeel::litekeel is the shared library, litekeel::static the static one: one of the two for each program.
get_filename_component(_litekeel_lib "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
get_filename_component(_litekeel_include "${CMAKE_CURRENT_LIST_DIR}/@INCLUDE@" ABSOLUTE)
if(NOT TARGET litekeel::litekeel)
  add_library(litekeel::litekeel SHARED IMPORTED)
  set_target_properties(litekeel::litekeel PROPERTIES
    IMPORTED_LOCATION "${_litekeel_lib}/liblitekeel.so.@VERSION@"
    IMPORTED_SONAME "liblitekeel.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${_litekeel_include}")
endif()
if(NOT TARGET litekeel::static)
  add_library(litekeel::static STATIC IMPORTED)
  set_target_properties(litekeel::static PROPERTIES
    IMPORTED_LOCATION "${_litekeel_lib}/liblitekeel.a"
    INTERFACE_INCLUDE_DIRECTORIES "${_litekeel_include}"
    INTERFACE_LINK_LIBRARIES "pthread;dl;m")
endif()
unset(_litekeel_lib)
unset(_litekeel_include)
