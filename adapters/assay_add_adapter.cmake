# assay_add_adapter(NAME n VENDOR v DESCRIPTION d TABLES program/1 ... SOURCES a.cpp ... [VERSION 1.2.3] [LICENCE l]
#                   [NEEDS lib.so.1 ...] [OPTIONS [key ...]] [LIBS x ...])
# Makes the module target assay_adapter_<n> and its manifest <n>.adapter.json, in lib/assay/adapters of the build folder
# and of the installation. VERSION is the project's unless given. OPTIONS: the keys of --adapter-option that it takes (with no
# key behind it: none); any other is then refused. For this tree and, by find_package(Assay), for others.
set(ASSAY_MANIFEST_TEMPLATE ${CMAKE_CURRENT_LIST_DIR}/manifest.json.in)

# ["a", "b"] of a list
function(assay_json_texts out)
  list(TRANSFORM ARGN REPLACE "(.+)" "\"\\1\"")
  list(JOIN ARGN ", " joined)
  set(${out} "${joined}" PARENT_SCOPE)
endfunction()

function(assay_add_adapter)
  cmake_parse_arguments(A "" "NAME;VENDOR;DESCRIPTION;VERSION;LICENCE" "TABLES;SOURCES;NEEDS;OPTIONS;LIBS" ${ARGN})
  foreach(required NAME VENDOR DESCRIPTION TABLES SOURCES)
    if(NOT A_${required})
      message(FATAL_ERROR "assay_add_adapter: ${required} is missing")
    endif()
  endforeach()
  if(A_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "assay_add_adapter: unknown argument ${A_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT A_VERSION)
    set(A_VERSION ${PROJECT_VERSION})
  endif()
  set(target assay_adapter_${A_NAME})
  set(folder ${CMAKE_BINARY_DIR}/lib/assay/adapters)
  add_library(${target} MODULE ${A_SOURCES})
  # assay_build: this tree's own warnings and sanitizers.
  target_link_libraries(${target} PRIVATE Assay::sdk $<TARGET_NAME_IF_EXISTS:assay_build> ${A_LIBS})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME assay_${A_NAME} PREFIX lib LIBRARY_OUTPUT_DIRECTORY ${folder}
                        C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden)
  file(STRINGS ${ASSAY_ABI_HEADER} numbers REGEX "^#define ASSAY_ABI_(MAJOR|MINOR) [0-9]+u$")
  string(REGEX REPLACE ".*ABI_MAJOR ([0-9]+)u.*" "\\1" ABI_MAJOR "${numbers}")
  string(REGEX REPLACE ".*ABI_MINOR ([0-9]+)u.*" "\\1" ABI_MINOR "${numbers}")
  assay_json_texts(TABLES ${A_TABLES})
  assay_json_texts(NEEDS ${A_NEEDS})
  set(OPTIONS_FIELD "")
  if(A_OPTIONS OR "OPTIONS" IN_LIST A_KEYWORDS_MISSING_VALUES)
    assay_json_texts(options ${A_OPTIONS})
    set(OPTIONS_FIELD ",\n  \"options\": [${options}]")
  endif()
  configure_file(${ASSAY_MANIFEST_TEMPLATE} ${folder}/${A_NAME}.adapter.json @ONLY)
  install(TARGETS ${target} LIBRARY DESTINATION lib/assay/adapters)
  install(FILES ${folder}/${A_NAME}.adapter.json DESTINATION lib/assay/adapters)
  set_property(GLOBAL APPEND PROPERTY ASSAY_ADAPTERS ${target})
endfunction()
