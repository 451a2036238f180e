using System.Collections;
using System.Reflection;

namespace TensorCompress.Tests.TestKit;

/// <summary>Counts the memory that an object reaches through its fields: native matrices and managed arrays.</summary>
internal static class HeldMemory
{
    /// <summary>Matrices and arrays.</summary>
    public static long Count(object root) => Walk(root).Sum(found => MatrixBytes(found) + ArrayBytes(found));

    /// <summary>Matrices alone.</summary>
    public static long CountMatrices(object root) => Walk(root).Sum(MatrixBytes);

    private static IEnumerable<object> Walk(object root)
    {
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var open = new Stack<object>([root]);
        while (open.TryPop(out object? current))
        {
            if (current is string or Type or Delegate or Pointer || current.GetType().IsPrimitive || !seen.Add(current)) continue;
            yield return current;
            if (current is Array array && !array.GetType().GetElementType()!.IsPrimitive)
            {
                foreach (object? item in (IEnumerable)array) if (item is not null) open.Push(item);
            }

            for (Type? type = current.GetType(); type is not null; type = type.BaseType)
            {
                foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                {
                    if (!field.FieldType.IsPointer && field.GetValue(current) is { } value) open.Push(value);
                }
            }
        }
    }

    private static long MatrixBytes(object found) =>
        found.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(Tensors.Matrix<>)
            ? (long)type.GetProperty("ByteLength")!.GetValue(found)!
            : 0;

    private static long ArrayBytes(object found) => found is Array array && array.GetType().GetElementType()!.IsPrimitive ? Buffer.ByteLength(array) : 0;
}
