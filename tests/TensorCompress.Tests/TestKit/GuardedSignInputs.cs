using System.Runtime.CompilerServices;
using TensorCompress.Kernels;
using TensorCompress.Tensors;

namespace TensorCompress.Tests.TestKit;

/// <summary>Puts what products of signs read of activations into <see cref="GuardedMemory{T}"/>, for those who fill it too.</summary>
internal sealed class GuardedSignInputs : IDisposable
{
    private readonly IDisposable _values, _scales;

    /// <summary>Tables and scales, after <see cref="SignTables.Reserve"/> and before they are built.</summary>
    public GuardedSignInputs(SignTables tables, bool guardAfter) =>
        (_values, _scales) = (new MatrixGuard<byte>(TablesOf(tables)!, guardAfter), new MatrixGuard<float>(ScalesOf(tables)!, guardAfter));

    /// <summary>Codes and spans, after <see cref="SignCodes.Reserve"/> and before activations are quantised.</summary>
    public GuardedSignInputs(SignCodes codes, bool guardAfter) =>
        (_values, _scales) = (new MatrixGuard<sbyte>(CodesOf(codes)!, guardAfter), new MatrixGuard<float>(SpansOf(codes)!, guardAfter));

    public void Dispose()
    {
        _values.Dispose();
        _scales.Dispose();
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_tables")]
    private static extern ref Matrix<byte>? TablesOf(SignTables tables);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_scales")]
    private static extern ref Matrix<float>? ScalesOf(SignTables tables);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_codes")]
    private static extern ref Matrix<sbyte>? CodesOf(SignCodes codes);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_spans")]
    private static extern ref Matrix<float>? SpansOf(SignCodes codes);
}
