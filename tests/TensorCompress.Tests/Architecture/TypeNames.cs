using System.Reflection;

namespace TensorCompress.Tests.Architecture;

/// <summary>Types as C# spells them.</summary>
internal static class TypeNames
{
    private static readonly Dictionary<Type, string> Keywords = new (Type Type, string Keyword)[]
    {
        (typeof(void), "void"), (typeof(bool), "bool"), (typeof(byte), "byte"), (typeof(sbyte), "sbyte"), (typeof(short), "short"), (typeof(ushort), "ushort"),
        (typeof(int), "int"), (typeof(uint), "uint"), (typeof(long), "long"), (typeof(ulong), "ulong"), (typeof(nint), "nint"), (typeof(nuint), "nuint"),
        (typeof(float), "float"), (typeof(double), "double"), (typeof(decimal), "decimal"), (typeof(char), "char"), (typeof(string), "string"), (typeof(object), "object"),
    }.ToDictionary(entry => entry.Type, entry => entry.Keyword);

    /// <summary>A type in a signature, with what is known of its nullability.</summary>
    public static string Of(Type type, NullabilityInfo? nullability = null)
    {
        if (type.IsByRef) return Of(type.GetElementType()!, nullability);
        if (type.IsPointer) return Of(type.GetElementType()!) + "*";
        if (Nullable.GetUnderlyingType(type) is { } value) return Of(value) + "?";
        string mark = !type.IsValueType && nullability?.ReadState == NullabilityState.Nullable ? "?" : "";
        if (type.IsArray) return Of(type.GetElementType()!, nullability?.ElementType) + "[" + new string(',', type.GetArrayRank() - 1) + "]" + mark;
        if (Keywords.TryGetValue(type, out string? keyword)) return keyword + mark;
        if (type.IsGenericParameter) return type.Name + mark;
        if (type.FullName?.StartsWith("System.ValueTuple`", StringComparison.Ordinal) == true)
            return "(" + string.Join(", ", type.GetGenericArguments().Select((argument, i) => Of(argument, Argument(nullability, i)))) + ")";
        return Plain(type, nullability) + mark;
    }

    /// <summary>The name of a type where it is declared, with its containing types and type parameters.</summary>
    public static string Declared(Type type) => Plain(type, null);

    private static string Plain(Type type, NullabilityInfo? nullability)
    {
        string name = type.Name.Split('`')[0];
        Type[] arguments = type.GetGenericArguments();
        int outer = type.DeclaringType?.GetGenericArguments().Length ?? 0;
        string prefix = type.IsNested && !type.IsGenericParameter ? Plain(type.DeclaringType!, null) + "." : "";
        if (arguments.Length <= outer) return prefix + name;
        return prefix + name + "<" + string.Join(", ", arguments.Skip(outer).Select((argument, i) => Of(argument, Argument(nullability, outer + i)))) + ">";
    }

    private static NullabilityInfo? Argument(NullabilityInfo? nullability, int index) =>
        nullability is not null && index < nullability.GenericTypeArguments.Length ? nullability.GenericTypeArguments[index] : null;
}
