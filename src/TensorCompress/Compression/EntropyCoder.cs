using System.Runtime.CompilerServices;

namespace TensorCompress.Compression;

/// <summary>
/// An arithmetic coder (Rissanen 1976, as a range coder: Martin 1979) for numbers that are nearly uniform. Encoder and decoder have the same operations, so that what is stored in which order is written down once:
/// an encoder takes the number and gives it back, a decoder ignores it and gives the one that was coded.
/// </summary>
/// <remarks>
/// A stream stands for the fraction 0.b0 b1 b2 ... of its bytes in base 256. It lies in an interval <c>[low, low + range)</c>, in units that become 256 times finer whenever <c>range</c> falls below 2^24;
/// at first <c>low</c> is 0 and <c>range</c> 2^32 - 1. A bit takes the lower part, <c>(range >> 16) * probability of 0</c>, or the rest; a number v of n equally likely ones the part from
/// <c>v (range / n)</c>, <c>range / n</c> long. The end is the last <c>low</c> in four bytes, so a decoder that arrives elsewhere knows that bytes were changed.
/// </remarks>
internal interface IEntropyCoder
{
    /// <summary>Whether numbers come from the stream.</summary>
    static abstract bool IsDecoder { get; }

    /// <summary>Codes a bit and lets its model learn.</summary>
    int Bit(ref AdaptiveBit model, int bit);

    /// <summary>Codes one of equally likely numbers.</summary>
    /// <param name="count">How many, 1 to 2^20.</param>
    /// <param name="number">0 to count - 1.</param>
    int Uniform(int count, int number);

    /// <summary>Codes one of a power of two of equally likely numbers; <see cref="Uniform"/> without divisions.</summary>
    /// <param name="bits">0 to 20.</param>
    /// <param name="number">0 to 2^bits - 1.</param>
    int Bits(int bits, int number);
}

/// <summary>Writes a stream into memory.</summary>
internal struct EntropyEncoder : IEntropyCoder
{
    private byte[] _bytes = new byte[256];
    private int _length;
    private ulong _low;
    private uint _range = uint.MaxValue;

    /// <summary>Begins a stream.</summary>
    public EntropyEncoder()
    {
    }

    /// <inheritdoc/>
    public static bool IsDecoder => false;

    /// <inheritdoc/>
    public int Bit(ref AdaptiveBit model, int bit)
    {
        uint lower = (_range >> 16) * model.Probability;
        model.Learn(bit);
        if (bit == 0) _range = lower;
        else (_low, _range) = (_low + lower, _range - lower);
        Refine();
        return bit;
    }

    /// <inheritdoc/>
    public int Uniform(int count, int number)
    {
        _range /= (uint)count;
        _low += (ulong)number * _range;
        Refine();
        return number;
    }

    /// <inheritdoc/>
    public int Bits(int bits, int number)
    {
        _range >>= bits;
        _low += (ulong)number * _range;
        Refine();
        return number;
    }

    /// <summary>Ends the stream.</summary>
    /// <returns>All of its bytes.</returns>
    public byte[] Complete()
    {
        for (int i = 0; i < sizeof(uint); i++) Shift();
        return _bytes[.._length];
    }

    private void Refine()
    {
        for (; _range < EntropyDecoder.Coarsest; _range <<= 8) Shift();
    }

    private void Shift()
    {
        if (_low > uint.MaxValue)
        {
            for (int i = _length - 1; ++_bytes[i] == 0;) i--; // a carry ends before the first byte, because the fraction is below 1
        }

        if (_length == _bytes.Length) Array.Resize(ref _bytes, 2 * _length);
        _bytes[_length++] = (byte)(_low >> 24);
        _low = _low << 8 & uint.MaxValue;
    }
}

/// <summary>Reads a stream. Whatever the bytes are, it gives numbers within their bounds; whether they were a whole stream is known at the end.</summary>
internal struct EntropyDecoder : IEntropyCoder
{
    /// <summary>Ranges below are refined.</summary>
    public const uint Coarsest = 1 << 24;

    /// <summary>A byte of a stream stands for fewer bits than so many bytes have, if each of them was coded as a bit or a number.</summary>
    public const int MostBytesOfByte = 256;

    private readonly byte[] _bytes;
    private int _next;
    private uint _value; // of the stream, above low
    private uint _range = uint.MaxValue;
    private bool _isCut, _isImpossible;

    /// <summary>Begins with the first bytes.</summary>
    public EntropyDecoder(byte[] bytes)
    {
        _bytes = bytes;
        for (int i = 0; i < sizeof(uint); i++) Shift();
    }

    /// <inheritdoc/>
    public static bool IsDecoder => true;

    /// <summary>Whether the stream ended before what was asked of it.</summary>
    public readonly bool IsCut => _isCut;

    /// <summary>Bytes that nothing was read from.</summary>
    public readonly int BytesLeft => _bytes.Length - _next;

    /// <summary>Whether the numbers so far are a whole stream.</summary>
    public readonly bool IsWhole => !_isCut && !_isImpossible && BytesLeft == 0 && _value == 0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Bit(ref AdaptiveBit model, int bit)
    {
        uint range = _range, value = _value, lower = (range >> 16) * model.Probability;
        bit = value >= lower ? 1 : 0;
        model.Learn(bit);
        uint isOne = (uint)-bit;
        _value = value - (lower & isOne);
        _range = lower + ((range - lower - lower) & isOne);
        Refine();
        return bit;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Uniform(int count, int number)
    {
        _range /= (uint)count;
        return Take((uint)count);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Bits(int bits, int number)
    {
        _range >>= bits;
        return Take(1u << bits);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Take(uint count)
    {
        uint found = _value / _range;
        if (found >= count) // no encoder leads there
        {
            _isImpossible = true;
            found = count - 1;
        }

        _value -= found * _range;
        Refine();
        return (int)found;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Refine()
    {
        for (; _range < Coarsest; _range <<= 8) Shift();
    }

    private void Shift()
    {
        uint next = 0;
        if (_next < _bytes.Length) next = _bytes[_next++];
        else _isCut = true;
        _value = _value << 8 | next;
    }
}
