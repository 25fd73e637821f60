#include "shoset/uri/byte_search.hpp"

#include "shoset/uri/text_rules.hpp"

#ifdef __SSE2__
#include <bit>
#include <emmintrin.h>
#endif

namespace mesh::uri {

namespace portable {

const char* findStringEnd(const char* p, const char* end)
{
    while (p != end && *p != '"' && *p != '\\') {
        ++p;
    }
    return p;
}

const char* findTextStop(const char* p, const char* end)
{
    while (p != end && *p != '"' && *p != '\\' && *p != '/') {
        ++p;
    }
    return p;
}

const char* findStructure(const char* p, const char* end, char& separator)
{
    for (; p != end; ++p) {
        switch (*p) {
            case '"':
            case '{':
            case '}':
            case '[':
            case ']': return p;
            case ',':
            case ':': separator = *p; break;
            default: break;
        }
    }
    return p;
}

const char* skipBlanks(const char* p, const char* end)
{
    while (p != end && *p == ' ') {
        ++p;
    }
    return p;
}

const char* findLineEnd(const char* p, const char* end)
{
    while (p != end && *p != '\n' && *p != '\r') {
        ++p;
    }
    return p;
}

const char* findDoubleSlash(const char* p, const char* end)
{
    for (; end - p >= 2; ++p) {
        if (p[0] == '/' && p[1] == '/') {
            return p + 1;
        }
    }
    return end;
}

const char* findPathEnd(const char* p, const char* end)
{
    while (p != end && !endsPath(*p)) {
        ++p;
    }
    return p;
}

}  // namespace portable

#ifdef __SSE2__

namespace {

constexpr int width = 16;

__m128i load(const char* p)
{
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}

__m128i equal(__m128i bytes, char c)
{
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}

unsigned bits(__m128i mask)
{
    return static_cast<unsigned>(_mm_movemask_epi8(mask));
}

}  // namespace

const char* findStringEnd(const char* p, const char* end)
{
    for (; end - p >= width; p += width) {
        const __m128i bytes = load(p);
        const unsigned found = bits(_mm_or_si128(equal(bytes, '"'), equal(bytes, '\\')));
        if (found != 0) {
            return p + std::countr_zero(found);
        }
    }
    return portable::findStringEnd(p, end);
}

const char* findTextStop(const char* p, const char* end)
{
    for (; end - p >= width; p += width) {
        const __m128i bytes = load(p);
        const unsigned found =
            bits(_mm_or_si128(_mm_or_si128(equal(bytes, '"'), equal(bytes, '\\')), equal(bytes, '/')));
        if (found != 0) {
            return p + std::countr_zero(found);
        }
    }
    return portable::findTextStop(p, end);
}

const char* findStructure(const char* p, const char* end, char& separator)
{
    const __m128i caseBit = _mm_set1_epi8(0x20);
    for (; end - p >= width; p += width) {
        const __m128i bytes = load(p);
        const __m128i folded = _mm_or_si128(bytes, caseBit);  // '[' and '{', ']' and '}' become one
        const unsigned found = bits(_mm_or_si128(_mm_or_si128(equal(folded, '{'), equal(folded, '}')), equal(bytes, '"')));
        const unsigned before = found == 0 ? ~0U : (found & (0U - found)) - 1;
        const unsigned separators = bits(_mm_or_si128(equal(bytes, ','), equal(bytes, ':'))) & before;
        if (separators != 0) {
            separator = p[std::bit_width(separators) - 1];
        }
        if (found != 0) {
            return p + std::countr_zero(found);
        }
    }
    return portable::findStructure(p, end, separator);
}

const char* skipBlanks(const char* p, const char* end)
{
    for (; end - p >= width; p += width) {
        const unsigned found = bits(equal(load(p), ' ')) ^ 0xffffU;
        if (found != 0) {
            return p + std::countr_zero(found);
        }
    }
    return portable::skipBlanks(p, end);
}

const char* findLineEnd(const char* p, const char* end)
{
    for (; end - p >= width; p += width) {
        const __m128i bytes = load(p);
        const unsigned found = bits(_mm_or_si128(equal(bytes, '\n'), equal(bytes, '\r')));
        if (found != 0) {
            return p + std::countr_zero(found);
        }
    }
    return portable::findLineEnd(p, end);
}

const char* findDoubleSlash(const char* p, const char* end)
{
    if (end - p <= width) {
        return portable::findDoubleSlash(p, end);
    }
    for (;;) {
        const unsigned found = bits(_mm_and_si128(equal(load(p), '/'), equal(load(p + 1), '/')));
        if (found != 0) {
            return p + std::countr_zero(found) + 1;
        }
        if (end - p == width + 1) {
            return end;
        }
        p = end - p > 2 * width ? p + width : end - width - 1;  // the last block overlaps
    }
}

const char* findPathEnd(const char* p, const char* end)
{
    const __m128i low = _mm_set1_epi8(',');
    const __m128i one = _mm_set1_epi8(1);
    const __m128i rangeBegin = _mm_set1_epi8(';');
    const __m128i rangeLength = _mm_set1_epi8('?' - ';');
    for (; end - p >= width; p += width) {
        // A superset in few instructions: up to ',', from ';' to '?', '\\', ']' and '`'.
        const __m128i bytes = load(p);
        const __m128i shifted = _mm_sub_epi8(bytes, rangeBegin);
        const __m128i inLow = _mm_cmpeq_epi8(_mm_min_epu8(bytes, low), bytes);
        const __m128i inRange = _mm_cmpeq_epi8(_mm_min_epu8(shifted, rangeLength), shifted);
        const __m128i single = _mm_or_si128(equal(_mm_or_si128(bytes, one), ']'), equal(bytes, '`'));
        for (unsigned found = bits(_mm_or_si128(_mm_or_si128(inLow, inRange), single)); found != 0; found &= found - 1) {
            const char* const candidate = p + std::countr_zero(found);
            if (endsPath(*candidate)) {
                return candidate;
            }
        }
    }
    return portable::findPathEnd(p, end);
}

#else

const char* findStringEnd(const char* p, const char* end)
{
    return portable::findStringEnd(p, end);
}

const char* findTextStop(const char* p, const char* end)
{
    return portable::findTextStop(p, end);
}

const char* findStructure(const char* p, const char* end, char& separator)
{
    return portable::findStructure(p, end, separator);
}

const char* skipBlanks(const char* p, const char* end)
{
    return portable::skipBlanks(p, end);
}

const char* findLineEnd(const char* p, const char* end)
{
    return portable::findLineEnd(p, end);
}

const char* findDoubleSlash(const char* p, const char* end)
{
    return portable::findDoubleSlash(p, end);
}

const char* findPathEnd(const char* p, const char* end)
{
    return portable::findPathEnd(p, end);
}

#endif

}  // namespace mesh::uri
