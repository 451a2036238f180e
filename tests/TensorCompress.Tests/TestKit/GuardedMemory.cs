using System.Runtime.InteropServices;

namespace TensorCompress.Tests.TestKit;

/// <summary>
/// Memory that ends (or begins) exactly at a page that nobody may touch, so that a kernel that reads one byte too far ends the test run instead of passing.
/// On Linux; elsewhere plain memory.
/// </summary>
internal sealed unsafe class GuardedMemory<T> : IDisposable
    where T : unmanaged
{
    private const int ReadWrite = 1 | 2, NoAccess = 0, PrivateAnonymous = 0x02 | 0x20;

    private readonly byte* _start;
    private readonly nuint _mapped;
    private readonly T* _values;

    /// <summary>Reserves zeroed memory.</summary>
    /// <param name="length">Elements.</param>
    /// <param name="guardAfter">Whether the forbidden page follows the last element; otherwise it precedes the first.</param>
    public GuardedMemory(int length, bool guardAfter = true)
    {
        Length = length;
        nuint bytes = (nuint)length * (nuint)sizeof(T);
        if (!IsGuarded)
        {
            _start = (byte*)NativeMemory.AllocZeroed(Math.Max(bytes, 1));
            _values = (T*)_start;
            return;
        }

        var page = (nuint)Environment.SystemPageSize;
        nuint used = (bytes + page - 1) / page * page;
        _mapped = used + 2 * page;
        void* map = PageCalls.MemoryMap(null, _mapped, ReadWrite, PrivateAnonymous, -1, 0);
        if (map == (void*)-1) throw new InvalidOperationException($"mmap of {_mapped} bytes failed with error {Marshal.GetLastPInvokeError()}.");
        _start = (byte*)map;
        Forbid(_start, page);
        Forbid(_start + page + used, page);
        _values = (T*)(guardAfter ? _start + page + used - bytes : _start + page);
    }

    /// <summary>Whether this system gives guard pages.</summary>
    public static bool IsGuarded => OperatingSystem.IsLinux();

    public int Length { get; }

    public Span<T> Span => new(_values, Length);

    public void Dispose()
    {
        if (IsGuarded) _ = PageCalls.MemoryUnmap(_start, _mapped);
        else NativeMemory.Free(_start);
    }

    private static void Forbid(byte* page, nuint size)
    {
        if (PageCalls.MemoryProtect(page, size, NoAccess) != 0) throw new InvalidOperationException($"mprotect failed with error {Marshal.GetLastPInvokeError()}.");
    }
}

/// <summary>The system calls behind <see cref="GuardedMemory{T}"/>.</summary>
internal static unsafe partial class PageCalls
{
    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    public static partial void* MemoryMap(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    public static partial int MemoryProtect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    public static partial int MemoryUnmap(void* address, nuint length);
}
