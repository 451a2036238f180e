using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace TensorCompress.Tests.Architecture;

/// <summary>Writes the public types and members of an assembly in the form of C# declarations, in a fixed order.</summary>
internal sealed class PublicApiWriter
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private readonly NullabilityInfoContext _nullability = new();
    private readonly StringBuilder _text = new();

    public static string Write(Assembly assembly)
    {
        var writer = new PublicApiWriter();
        foreach (IGrouping<string?, Type> space in assembly.GetExportedTypes().GroupBy(type => type.Namespace).OrderBy(space => space.Key, StringComparer.Ordinal))
        {
            writer._text.Append("namespace ").Append(space.Key).Append("\n{\n");
            // Names that begin with < are the compiler's, for instance those behind extension blocks.
            foreach (Type type in space.Where(type => !type.Name.StartsWith('<')).OrderBy(TypeNames.Declared, StringComparer.Ordinal)) writer.WriteType(type);
            writer._text.Append("}\n\n");
        }

        return writer._text.ToString();
    }

    private void WriteType(Type type)
    {
        if (typeof(Delegate).IsAssignableFrom(type))
        {
            MethodInfo invoke = type.GetMethod("Invoke")!;
            _text.Append(CultureInfo.InvariantCulture, $"    public delegate {Result(invoke)} {TypeNames.Declared(type)}({Parameters(invoke)});\n");
            return;
        }

        _text.Append("    public ").Append(Kind(type)).Append(' ').Append(TypeNames.Declared(type)).Append(Bases(type)).Append('\n');
        IEnumerable<string> members = type.IsEnum
            ? Enum.GetNames(type).Select(name => $"{name} = {Convert.ToInt64(Enum.Parse(type, name), CultureInfo.InvariantCulture)},")
            : type.GetMembers(Declared).Where(IsListed).Select(Describe).OrderBy(line => line, StringComparer.Ordinal);
        foreach (string member in members) _text.Append("        ").Append(member).Append('\n');
    }

    private static string Kind(Type type)
    {
        if (type.IsEnum) return "enum";
        if (type.IsInterface) return "interface";
        bool record = type.GetMethod("<Clone>$", Declared) is not null || (type.IsValueType && type.GetMethod("PrintMembers", Declared) is not null);
        if (type.IsValueType)
        {
            string immutable = type.IsDefined(typeof(IsReadOnlyAttribute), false) ? "readonly " : "";
            return immutable + (type.IsByRefLike ? "ref " : "") + (record ? "record struct" : "struct");
        }

        string modifier = type is { IsAbstract: true, IsSealed: true } ? "static " : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "";
        return modifier + (record ? "record" : "class");
    }

    private static string Bases(Type type)
    {
        if (type.IsEnum) return Enum.GetUnderlyingType(type) == typeof(int) ? "" : " : " + TypeNames.Of(Enum.GetUnderlyingType(type));
        Type[] inherited = [.. (type.BaseType?.GetInterfaces() ?? []), .. type.GetInterfaces().SelectMany(i => i.GetInterfaces())];
        IEnumerable<string> interfaces = type.GetInterfaces().Except(inherited).Where(i => i.IsVisible && !IsRecordEquality(type, i)).Select(i => TypeNames.Of(i)).Order(StringComparer.Ordinal);
        IEnumerable<string> bases = type.BaseType is { } parent && parent != typeof(object) && parent != typeof(ValueType) ? interfaces.Prepend(TypeNames.Of(parent)) : interfaces;
        string list = string.Join(", ", bases);
        return list.Length == 0 ? "" : " : " + list;
    }

    private static bool IsRecordEquality(Type type, Type candidate) =>
        candidate.IsGenericType && candidate.GetGenericTypeDefinition() == typeof(IEquatable<>) && candidate.GetGenericArguments()[0] == type && Kind(type).Contains("record", StringComparison.Ordinal);

    private static bool IsListed(MemberInfo member)
    {
        if (member.IsDefined(typeof(CompilerGeneratedAttribute))) return false;
        return member switch
        {
            MethodInfo method => IsVisible(method) && (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal)) && method.Name != "Finalize",
            ConstructorInfo constructor => IsVisible(constructor) && !constructor.IsStatic,
            PropertyInfo property => property.GetAccessors(nonPublic: true).Any(IsVisible),
            FieldInfo field => field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly,
            EventInfo happening => IsVisible(happening.AddMethod!),
            _ => false, // nested types are listed on their own
        };
    }

    private static bool IsVisible(MethodBase method) => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly;

    private string Describe(MemberInfo member) => member switch
    {
        MethodInfo method => $"{Modifiers(method)}{Result(method)} {method.Name}{TypeParameters(method)}({Parameters(method)});",
        ConstructorInfo constructor => $"{Modifiers(constructor)}{constructor.DeclaringType!.Name.Split('`')[0]}({Parameters(constructor)});",
        PropertyInfo property => DescribeProperty(property),
        FieldInfo field => $"public {(field.IsLiteral ? "const " : field.IsStatic ? "static " : "")}{(field.IsInitOnly ? "readonly " : "")}{TypeNames.Of(field.FieldType, _nullability.Create(field))} {field.Name}{(field.IsLiteral ? " = " + Literal(field.GetRawConstantValue()) : "")};",
        EventInfo happening => $"public event {TypeNames.Of(happening.EventHandlerType!, _nullability.Create(happening))} {happening.Name};",
        _ => throw new NotSupportedException($"A member of kind {member.MemberType} is not listed."),
    };

    private string DescribeProperty(PropertyInfo property)
    {
        MethodInfo[] accessors = [.. property.GetAccessors(nonPublic: true).Where(IsVisible)];
        string text = string.Concat(accessors.Select(accessor => accessor.ReturnType != typeof(void)
            ? "get; "
            : (accessor.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init; " : "set; ")));
        string required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
        string name = property.GetIndexParameters().Length == 0 ? property.Name : $"this[{string.Join(", ", property.GetIndexParameters().Select(Parameter))}]";
        string reference = property.PropertyType.IsByRef ? "ref " : "";
        return $"{Modifiers(accessors[0])}{required}{reference}{TypeNames.Of(property.PropertyType, _nullability.Create(property))} {name} {{ {text}}}";
    }

    private static string Modifiers(MethodBase method)
    {
        if (method.DeclaringType!.IsInterface) return (method.IsStatic ? "static " : "") + (method.IsAbstract ? "" : "default ");
        string access = method.IsPublic ? "public " : "protected ";
        if (method.IsStatic) return access + "static ";
        if (method.IsAbstract) return access + "abstract ";
        bool overrides = method is MethodInfo info && info.GetBaseDefinition() != info;
        if (overrides) return access + (method.IsFinal ? "sealed override " : "override ");
        return access + (method is { IsVirtual: true, IsFinal: false } ? "virtual " : "");
    }

    private static string TypeParameters(MethodInfo method) =>
        method.IsGenericMethod ? "<" + string.Join(", ", method.GetGenericArguments().Select(argument => argument.Name)) + ">" : "";

    private string Result(MethodInfo method) =>
        (method.ReturnType.IsByRef ? "ref " : "") + TypeNames.Of(method.ReturnType, _nullability.Create(method.ReturnParameter));

    private string Parameters(MethodBase method)
    {
        string list = string.Join(", ", method.GetParameters().Select(Parameter));
        return method.IsDefined(typeof(ExtensionAttribute)) ? "this " + list : list;
    }

    private string Parameter(ParameterInfo parameter)
    {
        string direction = parameter.IsOut ? "out " : parameter.ParameterType.IsByRef ? (parameter.IsIn ? "in " : "ref ") : "";
        string several = parameter.IsDefined(typeof(ParamArrayAttribute)) || parameter.IsDefined(typeof(ParamCollectionAttribute)) ? "params " : "";
        string optional = parameter.HasDefaultValue ? " = " + Literal(parameter.RawDefaultValue) : "";
        return $"{several}{direction}{TypeNames.Of(parameter.ParameterType, _nullability.Create(parameter))} {parameter.Name}{optional}";
    }

    private static string Literal(object? value) => value switch
    {
        null => "default",
        string text => $"\"{text}\"",
        bool truth => truth ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };
}
