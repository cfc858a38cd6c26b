// Nothing: the target that compiles the common headers (postern_precompiled in CMakeLists.txt)
// needs one file of its own.
