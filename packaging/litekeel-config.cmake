get_filename_component(_litekeel_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
if(NOT TARGET litekeel::litekeel)
  add_library(litekeel::litekeel SHARED IMPORTED)
  set_target_properties(litekeel::litekeel PROPERTIES
    IMPORTED_LOCATION "${_litekeel_prefix}/lib/liblitekeel.so.0"
    INTERFACE_INCLUDE_DIRECTORIES "${_litekeel_prefix}/include")
endif()
