using System.Runtime.InteropServices;

namespace TensorCompress.Numerics;

/// <summary>64-byte-aligned scratch memory for packed panels, kept for the next product. What is kept is bounded, and freed with the object.</summary>
internal sealed unsafe class PackBuffer : IDisposable
{
    private const int Alignment = 64;
    private const long KeptLimit = 64 << 20;

    private static readonly Lock Gate = new();
    private static readonly List<PackBuffer> Kept = [];
    private static long _keptBytes;

    private readonly void* _pointer;
    private readonly nint _bytes;

    private PackBuffer(nint bytes)
    {
        _bytes = bytes;
        _pointer = NativeMemory.AlignedAlloc((nuint)bytes, Alignment);
    }

    /// <summary>Frees the memory of a buffer that was not given back.</summary>
    ~PackBuffer() => NativeMemory.AlignedFree(_pointer);

    /// <summary>Bytes that wait for the next product.</summary>
    internal static long KeptBytes
    {
        get
        {
            lock (Gate) return _keptBytes;
        }
    }

    /// <summary>Takes the smallest kept buffer that is large enough, or a new one. Its content is undefined; <see cref="Dispose"/> gives it back.</summary>
    /// <exception cref="OutOfMemoryException">The memory is not there.</exception>
    public static PackBuffer Rent<T>(nint elements)
        where T : unmanaged
    {
        nint bytes = checked(elements * sizeof(T));
        lock (Gate)
        {
            int best = -1;
            for (int i = 0; i < Kept.Count; i++)
            {
                if (Kept[i]._bytes >= bytes && (best < 0 || Kept[i]._bytes < Kept[best]._bytes)) best = i;
            }

            if (best >= 0)
            {
                PackBuffer buffer = Kept[best];
                Kept.RemoveAt(best);
                _keptBytes -= buffer._bytes;
                return buffer;
            }
        }

        return new PackBuffer(checked(bytes + 4095) / 4096 * 4096);
    }

    /// <summary>The first element.</summary>
    public T* Pointer<T>()
        where T : unmanaged => (T*)_pointer;

    /// <summary>Gives the buffer back: kept while all kept ones stay within the bound, else the largest go.</summary>
    public void Dispose()
    {
        lock (Gate)
        {
            if (_keptBytes + _bytes <= KeptLimit)
            {
                Kept.Add(this);
                _keptBytes += _bytes;
                return;
            }
        }

        NativeMemory.AlignedFree(_pointer);
        GC.SuppressFinalize(this);
    }
}
