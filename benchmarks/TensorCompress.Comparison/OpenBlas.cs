using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace TensorCompress.Comparison;

/// <summary>The peer: OpenBLAS through its C interface, bound at run time, so that nothing depends on it.</summary>
internal sealed unsafe partial class OpenBlas
{
    private const int RowMajor = 101, NoTranspose = 111;

    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> _sgemm;
    private readonly delegate* unmanaged<int, int, int, int, int, int, double, double*, int, double*, int, double, double*, int, void> _dgemm;
    private readonly delegate* unmanaged<int, void> _setThreads;

    private readonly nint _library;

    private OpenBlas(nint library)
    {
        _library = library;
        _sgemm = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)NativeLibrary.GetExport(library, "cblas_sgemm");
        _dgemm = (delegate* unmanaged<int, int, int, int, int, int, double, double*, int, double*, int, double, double*, int, void>)NativeLibrary.GetExport(library, "cblas_dgemm");
        _setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
        Core = Text((delegate* unmanaged<byte*>)NativeLibrary.GetExport(library, "openblas_get_corename"));
        Configuration = Text((delegate* unmanaged<byte*>)NativeLibrary.GetExport(library, "openblas_get_config"));
    }

    /// <summary>The kernels that it runs, for instance <c>Haswell</c>.</summary>
    public string Core { get; }

    /// <summary>Version and build.</summary>
    public string Configuration { get; }

    /// <summary>Loads it; null, with a message, where it is absent.</summary>
    public static OpenBlas? TryLoad(string file)
    {
        // Some builds pick Haswell kernels on newer CPUs. The library reads this when it is loaded; .NET's own environment is not the process's.
        if (Avx512F.IsSupported && Environment.GetEnvironmentVariable("OPENBLAS_CORETYPE") is null && OperatingSystem.IsLinux()) _ = SetEnvironment("OPENBLAS_CORETYPE", "SkylakeX", 1);
        if (NativeLibrary.TryLoad(file, out nint library)) return new OpenBlas(library);
        Console.WriteLine($"OpenBLAS is not measured: {file} cannot be loaded (Debian: the package libopenblas0; or --openblas FILE).");
        return null;
    }

    public void SetThreads(int threads) => _setThreads(threads);

    /// <summary>C = A B, square, row-major, contiguous.</summary>
    public void Multiply(int n, float* a, float* b, float* c) => _sgemm(RowMajor, NoTranspose, NoTranspose, n, n, n, 1, a, n, b, n, 0, c, n);

    /// <inheritdoc cref="Multiply(int, float*, float*, float*)"/>
    public void Multiply(int n, double* a, double* b, double* c) => _dgemm(RowMajor, NoTranspose, NoTranspose, n, n, n, 1, a, n, b, n, 0, c, n);

    private static string Text(delegate* unmanaged<byte*> get) => Marshal.PtrToStringUTF8((nint)get()) ?? "";

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
