using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TensorCompress.Threading;

namespace TensorCompress.Comparison;

/// <summary>How fast memory can be read and nothing else done: what products of one token are held against.</summary>
internal sealed unsafe class ReadBandwidth : IDisposable
{
    private const int Bytes = 1 << 30;

    private readonly byte* _memory = (byte*)NativeMemory.AlignedAlloc(Bytes, 4096);
    private long _seen;

    public ReadBandwidth() => new Span<byte>(_memory, Bytes).Fill(1); // pages that were never written are all the same one

    /// <summary>Bytes that <see cref="Read"/> reads.</summary>
    public const double BytesRead = Bytes;

    /// <summary>Reads all of it once, each thread its share in so many streams side by side.</summary>
    public void Read(int streams, ComputePool pool)
    {
        nint share = Bytes / pool.Threads / 4096 * 4096;
        pool.For(pool.Threads, 1, (this, streams, share), static (start, end, state) =>
        {
            for (nint thread = start; thread < end; thread++)
            {
                byte* first = state.Item1._memory + thread * state.share;
                long seen = state.streams switch
                {
                    1 => One(first, state.share),
                    4 => Four(first, state.share / 4),
                    8 => Eight(first, state.share / 8),
                    _ => throw new ArgumentOutOfRangeException(nameof(streams)),
                };
                Interlocked.Add(ref state.Item1._seen, seen);
            }
        });
    }

    public void Dispose()
    {
        if (_seen == 1) Console.Error.WriteLine(); // the sums are looked at, so that no compiler leaves the reads out
        NativeMemory.AlignedFree(_memory);
    }

    private static long One(byte* first, nint length)
    {
        Vector256<long> a = default, b = default, c = default, d = default;
        for (byte* end = first + length; first < end; first += 128)
        {
            a += Vector256.Load((long*)first);
            b += Vector256.Load((long*)(first + 32));
            c += Vector256.Load((long*)(first + 64));
            d += Vector256.Load((long*)(first + 96));
        }

        return Vector256.Sum(a + b + c + d);
    }

    private static long Four(byte* first, nint length)
    {
        Vector256<long> a = default, b = default, c = default, d = default;
        for (byte* end = first + length; first < end; first += 64)
        {
            a += Vector256.Load((long*)first) + Vector256.Load((long*)(first + 32));
            b += Vector256.Load((long*)(first + length)) + Vector256.Load((long*)(first + length + 32));
            c += Vector256.Load((long*)(first + 2 * length)) + Vector256.Load((long*)(first + 2 * length + 32));
            d += Vector256.Load((long*)(first + 3 * length)) + Vector256.Load((long*)(first + 3 * length + 32));
        }

        return Vector256.Sum(a + b + c + d);
    }

    private static long Eight(byte* first, nint length)
    {
        Vector256<long> a = default, b = default, c = default, d = default;
        byte* fifth = first + 4 * length;
        for (byte* end = first + length; first < end; first += 64, fifth += 64)
        {
            a += Vector256.Load((long*)first) + Vector256.Load((long*)(first + 32));
            b += Vector256.Load((long*)(first + length)) + Vector256.Load((long*)(first + length + 32));
            c += Vector256.Load((long*)(first + 2 * length)) + Vector256.Load((long*)(first + 2 * length + 32));
            d += Vector256.Load((long*)(first + 3 * length)) + Vector256.Load((long*)(first + 3 * length + 32));
            a += Vector256.Load((long*)fifth) + Vector256.Load((long*)(fifth + 32));
            b += Vector256.Load((long*)(fifth + length)) + Vector256.Load((long*)(fifth + length + 32));
            c += Vector256.Load((long*)(fifth + 2 * length)) + Vector256.Load((long*)(fifth + 2 * length + 32));
            d += Vector256.Load((long*)(fifth + 3 * length)) + Vector256.Load((long*)(fifth + 3 * length + 32));
        }

        return Vector256.Sum(a + b + c + d);
    }
}
