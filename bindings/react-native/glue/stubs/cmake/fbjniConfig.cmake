add_library(fbjni::fbjni INTERFACE IMPORTED)
target_include_directories(fbjni::fbjni INTERFACE ${CMAKE_CURRENT_LIST_DIR}/..)
