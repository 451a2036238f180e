using System.Runtime.InteropServices;

namespace TensorCompress.Tests.TestKit;

/// <summary>Where the floats lie in their accessible pages.</summary>
internal enum GuardSide
{
    /// <summary>The first float follows an inaccessible page.</summary>
    Before,

    /// <summary>The last float is followed by an inaccessible page.</summary>
    After,
}

/// <summary>Floats next to memory that cannot be touched: a load or store outside them ends the process.</summary>
internal sealed unsafe partial class GuardedPages : IDisposable
{
    private const int Read = 1, Write = 2; // PROT_READ, PROT_WRITE
    private const int Private = 2; // MAP_PRIVATE
    private const uint Reserve = 0x2000, Commit = 0x1000, Release = 0x8000, NoAccess = 1, ReadWrite = 4; // MEM_*, PAGE_*

    private readonly byte* _mapping;
    private readonly nuint _mappedBytes;

    public GuardedPages(nint length, GuardSide side)
    {
        Length = length;
        var page = (nuint)Environment.SystemPageSize;
        nuint bytes = (nuint)length * sizeof(float);
        nuint inner = Math.Max((bytes + page - 1) / page, 1) * page;
        _mappedBytes = inner + 2 * page;
        _mapping = Map(_mappedBytes);
        Open(_mapping + page, inner);
        Pointer = (float*)(side == GuardSide.Before ? _mapping + page : _mapping + page + inner - bytes);
    }

    public nint Length { get; }

    public float* Pointer { get; }

    public Span<float> Span => new(Pointer, checked((int)Length));

    public static GuardedPages Holding(ReadOnlySpan<float> values, GuardSide side)
    {
        var pages = new GuardedPages(values.Length, side);
        values.CopyTo(pages.Span);
        return pages;
    }

    public void Dispose()
    {
        if (OperatingSystem.IsWindows()) _ = VirtualFree(_mapping, 0, Release);
        else _ = munmap(_mapping, _mappedBytes);
    }

    private static byte* Map(nuint bytes)
    {
        if (OperatingSystem.IsWindows()) return Succeeded(VirtualAlloc(null, bytes, Reserve, NoAccess));
        int anonymous = OperatingSystem.IsLinux() ? 0x20 : 0x1000;
        byte* mapping = mmap(null, bytes, 0, Private | anonymous, -1, 0);
        return Succeeded(mapping == (byte*)-1 ? null : mapping);
    }

    private static void Open(byte* start, nuint bytes)
    {
        if (OperatingSystem.IsWindows()) Succeeded(VirtualAlloc(start, bytes, Commit, ReadWrite));
        else if (mprotect(start, bytes, Read | Write) != 0) Succeeded(null);
    }

    private static byte* Succeeded(byte* pointer) =>
        pointer != null ? pointer : throw new InvalidOperationException("The operating system gave no guarded pages.");

    [LibraryImport("libc")]
    private static partial byte* mmap(byte* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc")]
    private static partial int mprotect(byte* address, nuint length, int protection);

    [LibraryImport("libc")]
    private static partial int munmap(byte* address, nuint length);

    [LibraryImport("kernel32")]
    private static partial byte* VirtualAlloc(byte* address, nuint size, uint kind, uint protection);

    [LibraryImport("kernel32")]
    private static partial int VirtualFree(byte* address, nuint size, uint kind);
}
