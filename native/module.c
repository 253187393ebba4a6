#include "common.h"

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
    return 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)module_exec}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "apigw_doctor.sources._native", .m_doc = "Line work in C.", .m_size = 0,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&definition);
}
