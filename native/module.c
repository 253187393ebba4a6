#include "common.h"

/* What Python asks of the module: raised with every change of a signature, here and in sources/native.py. */
#define INTERFACE 2

/* Line work in C: what the fast roads do with almost every line (sources/native.py says which). */

static PyType_Spec *const specs[] = {&execution_spec, &stream_spec, &records_spec};

static int module_exec(PyObject *module)
{
    for (size_t at = 0; at < sizeof(specs) / sizeof(*specs); at++) {
        PyObject *type = PyType_FromSpec(specs[at]);
        if (!type || PyModule_AddType(module, (PyTypeObject *)type) < 0) {
            Py_XDECREF(type);
            return -1;
        }
        Py_DECREF(type);
    }
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

/* `alike_lines` of sources/native.py */
static PyObject *alike_lines(PyObject *module, PyObject *text)
{
    (void)module;
    if (!PyBytes_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "bytes");
        return NULL;
    }
    const char *at = PyBytes_AS_STRING(text), *end = at + PyBytes_GET_SIZE(text);
    Py_ssize_t count = 0;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        if (stop - at < 2 || *at != '{' || stop[-1] != '}')
            return PyLong_FromLong(-1);
        count++;
        at = stop + 1;
    }
    return PyLong_FromSsize_t(count ? count : -1);
}

static PyMethodDef functions[] = {
    {"alike_lines", alike_lines, METH_O, "How many lines there are; -1 when one is not between braces."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)module_exec}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "apigw_doctor.sources._native", .m_doc = "Line work in C.", .m_size = 0,
    .m_methods = functions, .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
