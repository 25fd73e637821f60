#pragma once

// The inner loops of localising. Each returns `end` if there is none. With SSE2 they look at 16 bytes at a time;
// never beyond `end`.
namespace mesh::uri {

// First '"' or '\\'.
const char* findStringEnd(const char* p, const char* end);
// First '"', '\\' or '/'.
const char* findTextStop(const char* p, const char* end);
// First of " { } [ ]; `separator` becomes the last ',' or ':' passed on the way, if any.
const char* findStructure(const char* p, const char* end, char& separator);
// First byte that is not ' '.
const char* skipBlanks(const char* p, const char* end);
// First '\n' or '\r'.
const char* findLineEnd(const char* p, const char* end);
// First '/' that follows another one directly.
const char* findDoubleSlash(const char* p, const char* end);
// First byte that may end the path of a URI: character::ends or character::suffix.
const char* findPathEnd(const char* p, const char* end);

// The same byte by byte, for processors without SSE2.
namespace portable {
const char* findStringEnd(const char* p, const char* end);
const char* findTextStop(const char* p, const char* end);
const char* findStructure(const char* p, const char* end, char& separator);
const char* skipBlanks(const char* p, const char* end);
const char* findLineEnd(const char* p, const char* end);
const char* findDoubleSlash(const char* p, const char* end);
const char* findPathEnd(const char* p, const char* end);
}  // namespace portable

}  // namespace mesh::uri
