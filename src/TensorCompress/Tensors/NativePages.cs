using System.Runtime.InteropServices;

namespace TensorCompress.Tensors;

/// <summary>
/// Zeroed memory in whole pages, which the system is asked to make large. The first touch of 4 KiB costs about as much as copying them, and gigabytes of weights are touched once
/// when they are read, and go through the translation of addresses with every token. Neighbouring requests lie together, so that large pages span them.
/// </summary>
internal static unsafe partial class NativePages
{
    /// <summary>Requests from this size on are taken from here.</summary>
    public const nuint LeastBytes = 1 << 20;

    private const int ReadWrite = 1 | 2, PrivateAnonymous = 0x02 | 0x20, HugePages = 14;

    /// <summary>Whether a block of this size comes from here: on Linux, where it is large.</summary>
    public static bool Serve(nuint bytes) => bytes >= LeastBytes && OperatingSystem.IsLinux();

    /// <summary>Zeroed memory at the beginning of a page.</summary>
    /// <exception cref="InsufficientMemoryException">The system has none.</exception>
    public static void* Allocate(nuint bytes)
    {
        void* start = MemoryMap(null, bytes, ReadWrite, PrivateAnonymous, -1, 0);
        if ((nint)start == -1) throw new InsufficientMemoryException($"The system has no {bytes} bytes left.");
        _ = MemoryAdvise(start, bytes, HugePages); // a wish: where it is not granted, pages are small
        return start;
    }

    /// <summary>Gives memory back.</summary>
    public static void Free(void* start, nuint bytes) => _ = MemoryUnmap(start, bytes);

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* MemoryMap(void* address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int MemoryUnmap(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MemoryAdvise(void* address, nuint length, int advice);
}
